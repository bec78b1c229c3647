"""Queries are narrowed to one graph, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.graph import queries
from marketing_platform.stores.neo4j_scope import scoped


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("MATCH (u:User) RETURN u.name", "MATCH (u:`User__g`) RETURN u.name"),
        ("MATCH (:User {a: $b})-[:K]->(c) RETURN c.x", "MATCH (:`User__g` {a: $b})-[:K]->(c) RETURN c.x"),
        ("MATCH (a:X|Y&Z:`W`) RETURN 1", "MATCH (a:`X__g`|`Y__g`&`Z__g`:`W__g`) RETURN 1"),
        ("MATCH (a:X) WHERE a:Y RETURN {k: 1} AS m", "MATCH (a:`X__g`) WHERE a:`Y__g` RETURN {k: 1} AS m"),
        (
            "MATCH (a:X {t: '(n:User)'}) // :User\nRETURN 1",
            "MATCH (a:`X__g` {t: '(n:User)'}) // :User\nRETURN 1",
        ),
        ("MATCH (a:X)-[*1..3]->(b) RETURN b.x", "MATCH (a:`X__g`)-[*1..3]->(b) RETURN b.x"),
        ("MATCH (a:X), (a)--(b) RETURN b.x", "MATCH (a:`X__g`), (a)--(b) RETURN b.x"),
        (
            "MATCH (a:X) WHERE EXISTS { MATCH (a)-->(:Y) } RETURN 1",
            "MATCH (a:`X__g`) WHERE EXISTS { MATCH (a)-->(:`Y__g`) } RETURN 1",
        ),
        (
            "match p = shortestPath((a:X)-[*]-(b:Y)) return length(p)",
            "match p = shortestPath((a:`X__g`)-[*]-(b:`Y__g`)) return length(p)",
        ),
        ("MATCH (a:X) WHERE (a.n) < -1 RETURN (a.n)-1", "MATCH (a:`X__g`) WHERE (a.n) < -1 RETURN (a.n)-1"),
    ],
)
def test_every_label_becomes_the_graphs_own(query: str, expected: str):
    assert scoped(query, "g") == expected


@pytest.mark.parametrize(
    "query",
    [
        "MATCH (n) RETURN n.x",
        "MATCH () RETURN count(*)",
        "MATCH ()-[r:KNOWS]->() RETURN count(r)",
        "MATCH (a:X), (b) RETURN b.x",
        "MATCH (b), (a:X) RETURN b.x",
        "MATCH (a:!X) RETURN a.x",
        "MATCH (a:%) RETURN a.x",
        "MATCH (a:$(label)) RETURN a.x",
        "MATCH (a IS X) RETURN a.x",
        "MATCH (n) WHERE n:X OR true RETURN n.x",
        "MATCH (m:X) MATCH (n WHERE (m:X)) RETURN n.x",
        "MATCH (m:X) MATCH (n {x: (m).x}) RETURN n.x",
        "MATCH (a:X) WITH a.x AS x MATCH (a) RETURN a.x",
        "MATCH (a:X) RETURN a.x UNION MATCH (a) RETURN a.x",
        "MATCH (a:X) WHERE EXISTS { MATCH (a)-->(b:X) } MATCH (b) RETURN b.x",
        "MATCH (a:X) WHERE EXISTS { (n) } RETURN 1",
        "MATCH (a:X) WHERE ()-[:KNOWS]->() RETURN 1",
        "RETURN [(a)--(b) | b.x]",
        "RETURN [(a)<-[:K]-(b) | b.x]",
        "CALL db.labels() YIELD label RETURN label",
        "USE system MATCH (a:X) RETURN 1",
        "LOAD CSV FROM 'file:///x' AS line RETURN line",
        "MATCH (a:X) // \\u000aMATCH (b) \nRETURN 1",
        "MATCH (a:X)) RETURN 1",
        "MATCH (a:X RETURN 1",
    ],
)
def test_what_might_look_around_is_refused(query: str):
    with pytest.raises(ValueError, match="inside one graph"):
        scoped(query, "g")


@pytest.mark.parametrize("name", [name for name in vars(queries) if name.isupper()])
def test_the_platforms_queries_are_narrowed_only_in_their_labels(name: str):
    query = getattr(queries, name)
    narrowed = scoped(query, "g")
    assert narrowed != query
    assert narrowed.replace("__g`", "").replace("`", "") == query


@given(st.text(alphabet=":()[]{}/*'\"\\ MATCHxn`", max_size=30))
def test_text_and_comments_stay_as_they_are(text: str):
    if "\\u" in text:
        return
    literal = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    comment = "/*" + text.replace("*/", "") + " */"
    query = f"MATCH (a:X) {comment} WHERE a.x = {literal} RETURN 1"
    assert scoped(query, "g") == query.replace("(a:X)", "(a:`X__g`)", 1)
