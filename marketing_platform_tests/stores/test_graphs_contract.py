"""What every implementation of `Graphs` does. A new one adds a class of three lines at the end."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform.errors import StoreUnavailable, UnknownName
from marketing_platform.stores.graph_ladybug import LadybugGraphs
from marketing_platform.stores.protocols import GraphChanges, GraphCounts, Graphs, NodeSet, RelationSet
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared
from marketing_platform_tests.stores.processes import AWKWARD, in_another_process, killed_half_way, then_hang

NAME = "knowledge_graph_3f9ac21b"
MOMENT = datetime(2026, 2, 28, 23, 59, 59, 123456, tzinfo=UTC)
NAMES = "MATCH (p:Person) RETURN p.name AS name ORDER BY name"
KNOWN = (
    "MATCH (p:Person)-[k:KNOWS]->(q:Person) RETURN k.weight AS weight, q.name AS other ORDER BY weight, other"
)
LIKED = "MATCH (p:Person)-[:LIKES]->(q:Person) RETURN p.name AS one, q.name AS other ORDER BY one"
PEOPLE = "MATCH (p:Person) RETURN p.person_id AS person_id ORDER BY person_id"
# Of 1,000 people 10^18 combinations: no machine sees them all, none is out before all are joined.
ENDLESS = (
    "MATCH (a:Person), (b:Person), (c:Person), (d:Person), (e:Person), (f:Person) "
    "WHERE a.name + b.name + c.name + d.name + e.name + f.name = 'nobody' RETURN count(*) AS n"
)


def people(ids: Iterable[str]) -> NodeSet:
    ids = list(ids)
    return _persons(ids, ids)


def named(names: dict[str, str]) -> NodeSet:
    return _persons(list(names), list(names.values()))


def _persons(ids: list[str], names: list[str]) -> NodeSet:
    rows = {"person_id": pa.array(ids, pa.string()), "name": pa.array(names, pa.string())}
    return NodeSet("Person", pa.table(rows))


def knows(pairs: Iterable[tuple[str, str]]) -> RelationSet:
    pairs = list(pairs)
    rows = pa.table(
        {
            "source_key": pa.array([source for source, _ in pairs], pa.string()),
            "target_key": pa.array([target for _, target in pairs], pa.string()),
            "weight": pa.array(range(len(pairs)), pa.int64()),
        }
    )
    return RelationSet("KNOWS", "Person", "Person", rows)


def ask(
    store: Graphs, name: str, query: str, parameters: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    reader = store.open(name)
    try:
        return reader.run(query, parameters or {})
    finally:
        reader.close()


def write_and_hang(store: Graphs, half_way: Any) -> None:
    store.write(NAME, then_hang(people(AWKWARD), half_way), [])


class GraphsContract:
    def create(self, root: Path) -> Graphs:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Graphs:
        return self.create(tmp_path / "graphs")

    def test_nodes_and_relations_are_found_by_any_key(self, store: Graphs):
        ring = [*zip(AWKWARD, [*AWKWARD[1:], AWKWARD[0]], strict=True)]
        written = store.write(NAME, [people(AWKWARD)], [knows(ring)])
        assert written == store.count(NAME) == GraphCounts({"Person": len(AWKWARD)}, {"KNOWS": len(AWKWARD)})
        reader = store.open(NAME)
        for weight, (source, target) in enumerate(ring):
            assert reader.run(
                "MATCH (a:Person {person_id: $id})-[k:KNOWS]->(b:Person)"
                " RETURN b.name AS name, k.weight AS weight",
                {"id": source},
            ) == [{"name": target, "weight": weight}]
        reader.close()

    def test_values_come_back_as_plain_python(self, store: Graphs):
        row = {
            "thing_id": "a",
            "whole": 2**40,
            "number": 0.25,
            "flag": True,
            "day": MOMENT.date(),
            "moment": MOMENT,
            "money": Decimal("0.1"),
        }
        schema = pa.schema(
            [
                ("thing_id", pa.string()),
                ("whole", pa.int64()),
                ("number", pa.float64()),
                ("flag", pa.bool_()),
                ("day", pa.date32()),
                ("moment", pa.timestamp("us", tz="UTC")),
                ("money", pa.decimal128(18, 6)),
            ]
        )
        nothing = dict.fromkeys(row) | {"thing_id": "b"}
        store.write(NAME, [NodeSet("Thing", pa.Table.from_pylist([row, nothing], schema))], [])
        columns = ", ".join(f"t.{name} AS {name}" for name in row)
        found = ask(store, NAME, f"MATCH (t:Thing) RETURN {columns} ORDER BY thing_id")
        assert found == [row | {"money": 0.1}, nothing]
        assert [type(value) for value in found[0].values()] == [str, int, float, bool, date, datetime, float]
        assert found[0]["moment"].utcoffset() == MOMENT.utcoffset()

    def test_aggregates_come_back_as_plain_python(self, store: Graphs):
        store.write(NAME, [people("abc")], [knows([("a", "b"), ("a", "c")])])
        assert ask(
            store,
            NAME,
            "MATCH (a:Person)-[k:KNOWS]->(b:Person)"
            " RETURN sum(k.weight) AS total, avg(k.weight) AS mean,"
            " count(*) AS pairs, collect(b.name) AS names",
        ) == [{"total": 1, "mean": 0.5, "pairs": 2, "names": ["b", "c"]}]

    def test_parameters_are_values_never_text(self, store: Graphs):
        store.write(NAME, [people(AWKWARD)], [])
        query = "MATCH (p:Person) WHERE p.person_id IN $ids RETURN p.name AS name ORDER BY name LIMIT $limit"
        assert [row["name"] for row in ask(store, NAME, query, {"ids": AWKWARD, "limit": 4})] == sorted(
            AWKWARD
        )[:4]
        assert ask(store, NAME, query, {"ids": ["x' OR true //"], "limit": 4}) == []

    def test_empty_sets_are_kept_as_such(self, store: Graphs):
        store.write(NAME, [people([])], [knows([])])
        assert store.count(NAME) == GraphCounts({"Person": 0}, {"KNOWS": 0})
        assert ask(store, NAME, "MATCH (a:Person)-[:KNOWS]->(b:Person) RETURN a.name AS name") == []

    def test_writing_again_replaces_the_whole(self, store: Graphs):
        store.write(NAME, [people("ab")], [knows([("a", "b")])])
        assert store.write(NAME, [people("bc")], [knows([])]) == GraphCounts({"Person": 2}, {"KNOWS": 0})
        assert [row["person_id"] for row in ask(store, NAME, PEOPLE)] == ["b", "c"]

    def test_many_rows_come_as_several_sets(self, store: Graphs):
        sets = [people("ab"), people([]), people("c")]
        relations = [knows([("a", "b")]), knows([("b", "c")])]
        assert store.write(NAME, sets, relations) == GraphCounts({"Person": 3}, {"KNOWS": 2})
        assert [row["person_id"] for row in ask(store, NAME, PEOPLE)] == ["a", "b", "c"]
        with pytest.raises(ValueError, match="Person"):
            store.write("twice", [people("ab"), people("a")], [])
        assert store.names() == [NAME]

    def test_a_graph_may_be_made_from_another(self, store: Graphs):
        likes = replace(knows([("b", "a")]), type="LIKES")
        store.write("base", [people("ab")], [knows([("a", "b")]), likes])
        whole = (
            [named({"a": "a", "b": "Bea", "c": "c"})],
            [
                knows([("a", "b"), ("a", "c")]),
                replace(knows([("c", "b")]), type="LIKES"),
            ],
        )
        more = whole[1][0]
        changes = GraphChanges(
            base="base",
            added_nodes=[people("c")],
            changed_nodes=[named({"b": "Bea"})],
            added_relations=[replace(more, rows=more.rows.slice(1))],
            renewed_relations=[whole[1][1]],
        )
        written = store.write(NAME, *whole, changes=changes)
        store.write("whole", *whole)
        assert written == store.count(NAME) == store.count("whole")
        for query in (PEOPLE, NAMES, KNOWN, LIKED):
            assert ask(store, NAME, query) == ask(store, "whole", query) != []
        assert [row["name"] for row in ask(store, "base", NAMES)] == ["a", "b"]  # untouched

    def test_without_its_base_a_graph_is_made_whole(self, store: Graphs):
        nothing = GraphChanges("never_written", [], [], [], [])
        assert store.write(NAME, [people("a")], [], changes=nothing).nodes == {"Person": 1}

    def test_contradictions_are_refused_and_leave_nothing(self, store: Graphs):
        with pytest.raises(ValueError, match="Person"):
            store.write(NAME, [people(["a", "a"])], [])
        with pytest.raises(ValueError, match="KNOWS"):
            store.write(NAME, [people("a")], [knows([("a", "nobody")])])
        assert store.names() == []

    def test_a_reader_does_not_write(self, store: Graphs):
        store.write(NAME, [people("a")], [])
        with pytest.raises(Exception, match=r"read.only"):
            ask(store, NAME, "CREATE (:Person {person_id: 'b'})")

    def test_a_reader_keeps_what_it_opened(self, store: Graphs):
        store.write(NAME, [people("a")], [])
        reader = store.open(NAME)
        store.write("knowledge_graph_2", [people("bc")], [])
        store.write(NAME, [people("de")], [])
        store.drop(NAME)
        with ThreadPoolExecutor(1) as other_thread:
            assert other_thread.submit(reader.run, PEOPLE, {}).result() == [{"person_id": "a"}]
        reader.close()

    def test_names_come_and_go(self, store: Graphs):
        assert store.names() == []
        store.write(NAME, [people("a")], [])
        store.write("a_1", [people("a")], [])
        assert store.names() == ["a_1", NAME]
        store.drop("a_1")
        store.drop("a_1")
        assert store.names() == [NAME]
        with pytest.raises(UnknownName, match="a_1"):
            store.open("a_1")
        with pytest.raises(UnknownName, match="a_1"):
            store.count("a_1")

    def test_readers_in_threads_and_processes_beside_a_writer(self, store: Graphs):
        ids = [f"p{number}" for number in range(200)]
        store.write(NAME, [people(ids)], [])
        reader = store.open(NAME)
        query = "MATCH (p:Person {person_id: $id}) RETURN p.name AS name"
        with ThreadPoolExecutor(4) as threads:
            found = threads.map(lambda key: reader.run(query, {"id": key}), ids)
            store.write("knowledge_graph_2", [people("a")], [])
            assert [rows[0]["name"] for rows in found] == ids
        assert in_another_process(ask, store, NAME, query, {"id": "p7"}) == [{"name": "p7"}]
        reader.close()

    def test_a_killed_writer_leaves_no_name(self, store: Graphs):
        killed_half_way(write_and_hang, store)
        assert store.names() == []
        store.write(NAME, [people("a")], [])
        assert ask(store, NAME, PEOPLE) == [{"person_id": "a"}]


class TestLadybugGraphs(GraphsContract):
    def create(self, root: Path) -> Graphs:
        return LadybugGraphs(root)


if WITH_SERVERS:
    from marketing_platform.stores.graph_neo4j import Neo4jGraphs
    from marketing_platform_tests.servers import neo4j

    class TestNeo4jGraphs(GraphsContract):
        def create(self, root: Path) -> Graphs:
            return Neo4jGraphs(neo4j.emptied(neo4j.settings(shared(neo4j.running).endpoint)))


def test_a_query_that_takes_too_long_is_stopped(tmp_path: Path):
    store = LadybugGraphs(tmp_path, query_timeout_ms=20)
    store.write(NAME, [people(f"p{number}" for number in range(1000))], [])
    with pytest.raises(StoreUnavailable, match="within 20 ms"):
        ask(store, NAME, ENDLESS)
