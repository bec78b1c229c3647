"""A graph made from another by what differs is the graph made of all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.analytics import aggregate
from marketing_platform.catalog import registry
from marketing_platform.graph import graph_model, project_graph
from marketing_platform.graph.changes import graph_changes
from marketing_platform.stores.graph_ladybug import LadybugGraphs
from marketing_platform.stores.protocols import GraphChanges, GraphCounts, Graphs, StoredTable, TableRef

MODEL = graph_model()
USERS, CAMPAIGNS, TOPICS = ("ann", "o'neil", "zoë"), ("spring", "help"), ("garden", "snow")
SIMILAR = pa.schema(
    [
        ("user_id", pa.string()),
        ("rank", pa.int64()),
        ("similar_user_id", pa.string()),
        ("score", pa.float32()),
    ]
)
DERIVED = pa.schema(
    [
        ("user_id", pa.string()),
        ("interest", pa.string()),
        ("strength", pa.float64()),
        ("source", pa.string()),
        ("confidence", pa.float64()),
    ]
)
ENGAGED = """
SELECT user_id, campaign_id, count(*) AS events, CAST(count(message) AS DOUBLE) AS engagement_score,
       min(timestamp) AS first_at, max(timestamp) AS last_at
FROM events GROUP BY user_id, campaign_id"""


@dataclass(frozen=True)
class World:
    """What lies in the tables, in batches of events."""

    names: dict[str, str | None]  # of users, in order of their ids
    events: tuple[tuple[tuple[int, int, str | None], ...], ...]  # user, campaign, message
    cares: frozenset[tuple[int, int]]  # user, topic


def batches(most: int) -> st.SearchStrategy[Any]:
    one = st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from([None, "hello", "Wo ist es? 🙂"]))
    return st.lists(st.lists(one, max_size=4).map(tuple), max_size=most).map(tuple)


PERSON_NAMES = st.fixed_dictionaries(dict.fromkeys(USERS[:2], st.sampled_from([None, "Ann", "Bea"])))
CARES = st.frozensets(st.tuples(st.integers(0, 1), st.integers(0, 1)))
WORLDS = st.builds(World, PERSON_NAMES, batches(3), CARES)


class Warehouse:
    """Parts of tables in DuckDB, as many versions of them as one likes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._parts: dict[str, pa.Table] = {}

    def tables(self, world: World) -> dict[str, StoredTable]:
        """The tables of a world; a batch of events that two worlds share is one part."""
        users = [{"user_id": user, "name": name} for user, name in world.names.items()]
        near = {"user_id": "ann", "rank": 1, "similar_user_id": "o'neil", "score": len(world.events) / 10}
        cares = [
            {"user_id": USERS[user], "interest": TOPICS[topic], "strength": 0.5, "source": "stated"}
            for user, topic in sorted(world.cares)
        ]
        made = {
            "users": [landed("users", 0, users)],
            "events": [
                landed("events", number, list(map(event, rows))) for number, rows in enumerate(world.events)
            ],
            "campaigns": [landed("campaigns", 0, [{"campaign_id": one} for one in CAMPAIGNS])],
            "products": [landed("products", 0, [])],
            "purchases": [landed("purchases", 0, [])],
            "similar_users": [pa.Table.from_pylist([near], SIMILAR)],
            "derived_interests": [pa.Table.from_pylist(cares, DERIVED)],
        }
        found = {name: self._stored(name, parts) for name, parts in made.items()}
        for name, sql in (
            ("user_campaign_engagement", ENGAGED),
            ("product_pairs", aggregate("product_pairs").query),
        ):
            rows = pa.concat_tables(self.ask(sql, [one.ref for one in found.values()]))
            found[name] = self._stored(name, [rows])
        return found

    def ask(self, sql: str, refs: Sequence[TableRef]) -> Iterator[pa.Table]:
        """Run SQL over these tables alone."""
        with self._connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            for ref in refs:
                parts = [self._parts[part] for part in ref.parts] or [ref.schema.empty_table()]
                cursor.register(ref.name, pa.concat_tables(parts))
            yield cursor.sql(sql).to_arrow_table()

    def _stored(self, name: str, parts: list[pa.Table]) -> StoredTable:
        kept = {f"{name}__{hash(str(rows.to_pylist()))}": rows for rows in parts}
        self._parts |= kept
        schema = parts[0].schema if parts else registry.table(name).arrow_schema
        return StoredTable(
            TableRef(name, tuple(kept), schema), sum(map(len, kept.values())), str(sorted(kept))
        )


def landed(table: str, batch: int, rows: list[dict[str, Any]]) -> pa.Table:
    lineage = [row | {"batch_id": f"{table}@{batch}", "row_ordinal": n} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(lineage, registry.table(table).arrow_schema)


def event(row: tuple[int, int, str | None]) -> dict[str, Any]:
    user, campaign, message = row
    at = datetime(2026, 3, 1 + user, campaign, tzinfo=UTC)
    said = {"event_type": "message" if message else "view", "message": message, "timestamp": at}
    return {"user_id": USERS[user], "campaign_id": CAMPAIGNS[campaign], **said}


def content(store: Graphs, name: str) -> dict[str, list[str]]:
    """Every node and relation with all that it carries."""
    reader = store.open(name)
    found: dict[str, list[str]] = {}
    for label in MODEL.labels:
        columns = ", ".join(f"n.{name} AS {name}" for name in label.properties)
        found[label.label] = sorted(map(str, reader.run(f"MATCH (n:{label.label}) RETURN {columns}", {})))
    for one in MODEL.relations:
        keys = [next(iter(MODEL.label(end).properties)) for end in (one.source, one.target)]
        columns = [f"s.{keys[0]} AS source", f"t.{keys[1]} AS target"]
        columns += [f"r.{name} AS of_{name}" for name in one.properties]
        pattern = f"(s:{one.source})-[r:{one.type}]->(t:{one.target})"
        found[one.type] = sorted(map(str, reader.run(f"MATCH {pattern} RETURN {', '.join(columns)}", {})))
    reader.close()
    return found


def both_ways(before: World, now: World) -> tuple[GraphChanges | None, dict[str, list[str]]]:
    """The changes from one world to the other, and what is stored by them, as it is without them."""
    with TemporaryDirectory() as folder, duckdb.connect(":memory:") as connection:
        warehouse, store = Warehouse(connection), LadybugGraphs(Path(folder))
        earlier, later = warehouse.tables(before), warehouse.tables(now)

        def whole(tables: dict[str, StoredTable]) -> Any:
            return project_graph(lambda sql: warehouse.ask(sql, [one.ref for one in tables.values()]))

        store.write("before", *whole(earlier))
        store.write("whole", *whole(later))
        changes = graph_changes(warehouse.ask, later, earlier, base="before")
        counts = store.write("changed", *whole(later), changes=changes)
        assert isinstance(counts, GraphCounts)
        assert counts == store.count("whole")
        found = content(store, "changed")
        assert found == content(store, "whole")
        return changes, found


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(before=WORLDS, more=batches(2), names=PERSON_NAMES, cares=CARES)
def test_what_differs_gives_what_all_rows_give(before: World, more: Any, names: Any, cares: Any):
    both_ways(before, replace(before, names=names, cares=cares, events=before.events + more))


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(before=WORLDS, now=WORLDS)
def test_any_two_graphs_end_alike(before: World, now: World):
    both_ways(before, now)


BEFORE = World({"ann": "Ann", "o'neil": None}, (((0, 0, "hello"),),), frozenset({(0, 0)}))


def test_only_what_differs_is_asked_for():
    more = replace(
        BEFORE, names={"ann": "Bea", "o'neil": None, "zoë": None}, events=(*BEFORE.events, ((1, 1, None),))
    )
    changes, found = both_ways(BEFORE, more)
    assert changes is not None
    assert str({"user_id": "ann", "name": "Bea", "country": None}) in found["User"]
    assert len(found["User"]) == 3
    with duckdb.connect(":memory:") as connection:
        warehouse = Warehouse(connection)
        earlier, later = warehouse.tables(BEFORE), warehouse.tables(more)
        again = graph_changes(warehouse.ask, later, earlier, base="before")
        assert again is not None
        assert {one.label: one.rows.num_rows for one in again.added_nodes} | {"User": 1, "Event": 1} == {
            label.label: int(label.label in ("User", "Event")) for label in MODEL.labels
        }
        assert [one.rows["user_id"].to_pylist() for one in again.changed_nodes] == [["ann"]]
        assert {one.type: one.rows.num_rows for one in again.added_relations} == {
            "PERFORMED": 1,
            "PART_OF": 1,
            "SENT": 0,
            "ABOUT": 0,
        }
        assert {one.type for one in again.renewed_relations} == {
            "PARTICIPATED_IN",
            "TARGETED_BY",
            "SIMILAR_TO",
        }


@pytest.mark.slow
def test_a_graph_that_loses_a_node_is_made_whole():
    without_user = replace(BEFORE, names={"ann": "Ann"}, events=BEFORE.events)
    assert both_ways(BEFORE, without_user)[0] is None
    assert both_ways(BEFORE, replace(BEFORE, events=()))[0] is None
    assert both_ways(BEFORE, replace(BEFORE, cares=frozenset()))[0] is None  # the topic is nobody's any more
