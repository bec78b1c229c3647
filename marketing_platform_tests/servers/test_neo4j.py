"""What is special to Neo4j as a server: other graphs in the database, what is left over, and faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from neo4j import GraphDatabase

from marketing_platform.errors import StoreUnavailable
from marketing_platform.graph import queries
from marketing_platform.graph.model import graph_model
from marketing_platform.stores.graph_ladybug import LadybugGraphs
from marketing_platform.stores.graph_neo4j import Neo4jGraphs
from marketing_platform.stores.neo4j_settings import Neo4jSettings
from marketing_platform.stores.protocols import GraphCounts, GraphReader, NodeSet, RelationSet
from marketing_platform_tests.servers import neo4j
from marketing_platform_tests.servers.base import end, free_port
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import slow_network
from marketing_platform_tests.stores.test_graphs_contract import ENDLESS, PEOPLE, ask, knows, people

MORNING = datetime(2026, 3, 1, 6, 30, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def settings() -> Neo4jSettings:
    return neo4j.emptied(neo4j.settings(shared(neo4j.running).endpoint))


def marketing_graph(shift: int = 0) -> tuple[list[NodeSet], list[RelationSet]]:
    """Three users, two campaigns and what happened between them, nulls and equal scores among it."""
    users = [f"u{number + shift}" for number in range(3)]
    events = [f"e{number}" for number in range(6)]
    nodes = {
        "User": [{"user_id": user, "name": None if user == "u2" else user.upper()} for user in users],
        "Event": [
            {
                "record_id": event,
                "event_type": "click",
                "timestamp": MORNING + timedelta(hours=number % 4),
                "channel": None if number == 5 else "email",
            }
            for number, event in enumerate(events)
        ],
        "Message": [{"record_id": "e1", "text": "hello", "timestamp": MORNING}],
        "Campaign": [{"campaign_id": "c0", "name": "Spring"}, {"campaign_id": "c1", "objective": "sales"}],
    }
    ends: dict[str, list[dict[str, Any]]] = {
        "PERFORMED": [
            {"source_key": users[number % 3], "target_key": event} for number, event in enumerate(events)
        ],
        "PART_OF": [
            {"source_key": event, "target_key": f"c{number % 2}"} for number, event in enumerate(events)
        ],
        "SENT": [{"source_key": users[1], "target_key": "e1"}],
        "PARTICIPATED_IN": [
            {
                "source_key": user,
                "target_key": campaign,
                "events": 3,
                "engagement_score": 1.5 + shift,
                "first_at": MORNING,
                "last_at": None,
            }
            for user in users
            for campaign in ("c0", "c1")
        ],
        "TARGETED_BY": [{"source_key": users[0], "target_key": "c1", "exposures": 1}],
    }
    model = graph_model()
    return (
        [
            NodeSet(label, pa.Table.from_pylist(rows, model.label(label).arrow_schema))
            for label, rows in nodes.items()
        ],
        [
            RelationSet(
                relation.type,
                relation.source,
                relation.target,
                pa.Table.from_pylist(ends[relation.type], model.schema_of(relation)),
            )
            for relation in model.relations
            if relation.type in ends
        ],
    )


QUESTIONS: list[Callable[[GraphReader], Any]] = [
    lambda reader: [queries.user_exists(reader, user) for user in ("u0", "u1", "nobody")],
    lambda reader: [queries.user_campaigns(reader, user, limit=5) for user in ("u0", "u1", "u2", "nobody")],
    lambda reader: queries.participation_of_users(reader, ["u2", "u0", "nobody"]),
    lambda reader: [queries.campaign_users(reader, campaign, limit=2) for campaign in ("c0", "c1", "none")],
    lambda reader: [
        queries.path_user_campaign(reader, user, campaign, limit=9)
        for user in ("u0", "u1", "u2")
        for campaign in ("c0", "c1")
    ],
]


def test_the_platforms_questions_have_the_same_answers_as_embedded(settings: Neo4jSettings, tmp_path: Path):
    stores = LadybugGraphs(tmp_path), Neo4jGraphs(settings)
    for store in stores:
        store.write("graph_1", *marketing_graph())
        store.write("graph_2", *marketing_graph(shift=1))
    for name in ("graph_1", "graph_2"):
        embedded, served = (store.open(name) for store in stores)
        for question in QUESTIONS:
            answer = question(embedded)
            assert question(served) == answer
            assert repr(question(served)) == repr(answer)  # types too
        embedded.close()
        served.close()
    assert stores[0].count("graph_2") == stores[1].count("graph_2")


def test_a_name_sees_nothing_of_other_names(settings: Neo4jSettings):
    store = Neo4jGraphs(settings)
    store.write("graph_1", [people("ab")], [knows([("a", "b")])])
    store.write("graph_2", [people("bcd")], [knows([("b", "c"), ("c", "d")])])
    assert ask(store, "graph_1", PEOPLE) == [{"person_id": "a"}, {"person_id": "b"}]
    pairs = "MATCH (a:Person)-[:KNOWS*1..3]-(b) RETURN DISTINCT b.person_id AS person_id ORDER BY person_id"
    assert ask(store, "graph_1", pairs) == [{"person_id": "a"}, {"person_id": "b"}]
    with pytest.raises(ValueError, match="inside one graph"):
        ask(store, "graph_1", "MATCH (n) RETURN count(n) AS n")
    with pytest.raises(ValueError, match="return properties"):
        ask(store, "graph_1", "MATCH (p:Person) RETURN p")


def test_what_nobody_sees_any_more_is_removed_in_batches(settings: Neo4jSettings):
    at_once = settings.model_copy(update={"keep_dropped_seconds": 0.0})
    store = Neo4jGraphs(at_once)
    store.write("graph_1", [people("ab")], [knows([("a", "b")])])
    store.write("graph_1", [people("cd")], [])
    store.write("graph_2", [people("ef")], [])
    store.drop("graph_1")
    with GraphDatabase.driver(settings.uri) as driver:
        labels = driver.execute_query("MATCH (n) RETURN labels(n)[0] AS label, count(*) AS n").records
        assert sorted((record["label"].split("__")[0], record["n"]) for record in labels) == [
            ("Person", 2),
            ("StoredGraph", 1),
        ]
        assert len(driver.execute_query("SHOW CONSTRAINTS").records) == 3
    assert store.names() == ["graph_2"]


def test_small_batches_give_the_same_graph(settings: Neo4jSettings):
    store = Neo4jGraphs(settings.model_copy(update={"batch_rows": 3}))
    ids = [f"p{number}" for number in range(10)]
    ring = [*zip(ids, [*ids[1:], ids[0]], strict=True)]
    assert store.write("graph_1", [people(ids)], [knows(ring)]) == GraphCounts({"Person": 10}, {"KNOWS": 10})


def test_a_question_that_takes_too_long_is_stopped(settings: Neo4jSettings):
    store = Neo4jGraphs(settings.model_copy(update={"read_seconds": 1.0}))
    store.write("graph_1", [people(f"p{number}" for number in range(1000))], [])
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="Neo4j at bolt"):
        ask(store, "graph_1", ENDLESS)
    assert time.monotonic() - started < 3


def test_a_slow_network_is_waited_for_until_the_deadline(settings: Neo4jSettings):
    Neo4jGraphs(settings).write("graph_1", [people("a")], [])
    with slow_network("127.0.0.1", int(settings.uri.rsplit(":", 1)[1])) as line:
        store = Neo4jGraphs(
            settings.model_copy(
                update={
                    "uri": f"bolt://127.0.0.1:{line.port}",
                    "read_seconds": 1.5,
                    "connect_seconds": 1.0,
                    "acquire_seconds": 1.0,
                }
            )
        )
        reader = store.open("graph_1")
        line.delay = 0.2
        assert reader.run(PEOPLE, {}) == [{"person_id": "a"}]
        line.cut.set()
        for stuck in (lambda: reader.run(PEOPLE, {}), store.names):
            started = time.monotonic()
            with pytest.raises(StoreUnavailable, match="Neo4j at"):
                stuck()
            assert time.monotonic() - started < 4
        line.cut.clear()
        line.delay = 0.0
        assert reader.run(PEOPLE, {}) == [{"person_id": "a"}]
        reader.close()


def test_nobody_there_is_said_at_once():
    store = Neo4jGraphs(neo4j.settings(f"bolt://127.0.0.1:{free_port()}"))
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="MARKETING_NEO4J_URI"):
        store.names()
    assert time.monotonic() - started < 5


def test_stopped_while_writing_and_reading(tmp_path: Path):
    port = free_port()
    given = neo4j.settings(
        f"bolt://127.0.0.1:{port}", read_seconds=8, write_seconds=20, retry_seconds=3, batch_rows=10
    )
    store = Neo4jGraphs(given)
    with neo4j.running(tmp_path, port) as server:
        store.write("graph_1", [people("a")], [])
        reader = store.open("graph_1")
        assert reader.run(PEOPLE, {}) == [{"person_id": "a"}]

        def stopped_half_way() -> Iterator[NodeSet]:
            yield people(f"p{number}" for number in range(50))
            end(server.process)
            yield NodeSet("Place", pa.table({"place_id": ["x"]}))

        with pytest.raises(StoreUnavailable, match="Neo4j at bolt"):
            store.write("graph_2", stopped_half_way(), [])
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="Neo4j at bolt"):
            reader.run(PEOPLE, {})
        assert time.monotonic() - started < 9
    with neo4j.running(tmp_path, port):
        assert store.names() == ["graph_1"]
        assert reader.run(PEOPLE, {}) == [{"person_id": "a"}]
        store.write("graph_2", [people("b")], [])
        assert store.names() == ["graph_1", "graph_2"]
        reader.close()
