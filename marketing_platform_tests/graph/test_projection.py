"""Tables become the knowledge graph: every node once, every relation between nodes that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from marketing_platform.analytics import aggregate
from marketing_platform.catalog import registry
from marketing_platform.graph import GraphModel, graph_model, project_graph
from marketing_platform.graph.interests import MESSAGE_INTERESTS
from marketing_platform.graph.queries import (
    campaign_users,
    participation_of_users,
    path_user_campaign,
    user_campaigns,
    user_exists,
)
from marketing_platform.stores.graph_ladybug import LadybugGraphs
from marketing_platform.stores.protocols import GraphReader

Query = Callable[[str], list[pa.Table]]


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def landed(table: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of a canonical table as one landed file gives them."""
    lineage = [
        row | {"batch_id": f"{table}/file@v2.csv@9f{table}", "row_ordinal": n} for n, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(lineage, registry.table(table).arrow_schema)


def event(user: str, kind: str, campaign: str | None, day: int, message: str | None = None) -> dict[str, Any]:
    return {
        "user_id": user,
        "event_type": kind,
        "campaign_id": campaign,
        "timestamp": at(day),
        "channel": "email",
        "message": message,
    }


def purchase(user: str | None, product: str, order: str, quantity: int, price: str) -> dict[str, Any]:
    return {
        "user_id": user,
        "product_id": product,
        "order_id": order,
        "timestamp": at(quantity + 10),
        "quantity": quantity,
        "unit_price": Decimal(price),
    }


TABLES = {
    "users": [
        {"user_id": "ann", "name": "Ann", "email": "ann@example.org", "country": "NZ"},
        {"user_id": "o'neil"},
    ],
    "campaigns": [
        {"campaign_id": "spring", "name": "Spring", "platform": "own", "category": "garden"},
        {"campaign_id": "help", "name": "Help", "objective": "support"},
    ],
    "events": [
        event("ann", "impression", "spring", 1),
        event("ann", "open", "spring", 2),
        event("ann", "message", "spring", 3, "Where's my order? 🙂"),
        event("ann", "message", "help", 4, "thanks"),
        event("o'neil", "click", "spring", 5),
        event("o'neil", "click", None, 6),
        event("ann", "message", "help", 7),
    ],
    "products": [{"product_id": "rake", "name": "Rake", "category": "garden", "price": Decimal("12.50")}],
    "purchases": [
        {**purchase("ann", "rake", "o1", 3, "12.50"), "satisfaction": 4},
        purchase("ann", "rake", "o1", -1, "12.50"),
        purchase("ann", "hose", "o2", 1, "0.1"),
        purchase(None, "rake", "o3", 9, "12.50"),
    ],
    "interests": [
        {"user_id": "ann", "interest": "garden", "strength": 0.2, "source": "survey", "timestamp": at(1)},
        {"user_id": "ann", "interest": "garden", "strength": 0.9, "source": "profile", "timestamp": at(2)},
        {"user_id": "o'neil", "interest": "snow", "strength": 0.5, "source": "profile"},
    ],
}

ENGAGEMENT = """
CREATE TABLE user_campaign_engagement AS
SELECT user_id, campaign_id, count(*) AS events, sum(CASE event_type WHEN 'message' THEN 3.0 ELSE 1.0 END)
    AS engagement_score, min(timestamp) AS first_at, max(timestamp) AS last_at
FROM events WHERE campaign_id IS NOT NULL GROUP BY user_id, campaign_id
"""
# What the messages of users are about, and who writes alike: made of vectors.
OF_VECTORS = {
    "message_interests": pa.Table.from_pylist(
        [{"user_id": "ann", "interest": "snow", "messages": 2, "written": 8}], MESSAGE_INTERESTS
    ),
    "similar_users": pa.table(
        {
            "user_id": ["ann", "o'neil"],
            "rank": [1, 1],
            "similar_user_id": ["o'neil", "ann"],
            "score": pa.array([0.91, 0.91], pa.float32()),
        }
    ),
}


def compute(connection: duckdb.DuckDBPyConnection) -> None:
    """What the graph reads besides canonical tables."""
    connection.execute(ENGAGEMENT)
    for name in ("derived_interests", "product_pairs"):
        connection.execute(f"CREATE TABLE {name} AS {aggregate(name).query}")


@pytest.fixture
def query() -> Iterator[Query]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, rows in TABLES.items():
            connection.register(name, landed(name, rows))
        for name, rows in OF_VECTORS.items():
            connection.register(name, rows)
        compute(connection)
        yield lambda sql: [connection.sql(sql).to_arrow_table()]


@pytest.fixture
def reader(query: Query, tmp_path: Path) -> Iterator[GraphReader]:
    store = LadybugGraphs(tmp_path)
    store.write("knowledge_graph_1", *project_graph(query))
    reader = store.open("knowledge_graph_1")
    yield reader
    reader.close()


def test_every_row_finds_its_place(query: Query, tmp_path: Path):
    counts = LadybugGraphs(tmp_path).write("knowledge_graph_1", *project_graph(query))
    assert dict(counts.nodes) == {
        "User": 2,
        "Event": 7,
        "Message": 2,
        "Campaign": 2,
        "Product": 2,
        "Interest": 2,
        "Category": 1,
    }
    assert dict(counts.relations) == {
        "PERFORMED": 7,
        "PART_OF": 6,
        "PARTICIPATED_IN": 3,
        "TARGETED_BY": 1,
        "SENT": 2,
        "ABOUT": 2,
        "PURCHASED": 2,
        "INTERESTED_IN": 3,
        "SIMILAR_TO": 2,
        "BELONGS_TO": 1,
        "COMPLEMENTS": 0,
        "PROMOTES": 1,
    }


def test_an_empty_warehouse_gives_an_empty_graph(tmp_path: Path):
    with duckdb.connect(":memory:") as connection:
        for name in TABLES:
            connection.register(name, landed(name, []))
        for name, rows in OF_VECTORS.items():
            connection.register(name, rows.schema.empty_table())
        compute(connection)
        nodes, relations = project_graph(lambda sql: [connection.sql(sql).to_arrow_table()])
        counts = LadybugGraphs(tmp_path).write("knowledge_graph_1", nodes, relations)
    assert set(counts.nodes.values()) == set(counts.relations.values()) == {0}


def test_sets_have_the_declared_columns_and_are_computed_one_at_a_time(query: Query):
    asked: list[str] = []

    def counting(sql: str) -> list[pa.Table]:
        asked.append(sql)
        return query(sql)

    nodes, relations = project_graph(counting)
    assert asked == []
    for number, label in enumerate(graph_model().labels, start=1):
        assert next(nodes).rows.schema == label.arrow_schema
        assert len(asked) == number
    for declared, relation in zip(graph_model().relations, relations, strict=True):
        assert relation.rows.schema == graph_model().schema_of(declared)


def test_nothing_personal_but_the_name_gets_into_the_graph():
    columns = {name for label in graph_model().labels for name in label.properties}
    personal = {
        column.name for table in registry.tables().values() for column in table.columns if column.personal
    }
    assert columns & personal == {"user_id", "name"}


def test_a_query_that_breaks_its_declaration_is_named(query: Query):
    declared = graph_model()
    user = declared.label("User").model_copy(update={"sql": "SELECT user_id, name FROM users"})
    nodes, _ = project_graph(query, GraphModel(labels=(user,), relations=()))
    with pytest.raises(ValueError, match="label User"):
        next(nodes)


def test_a_relation_needs_both_labels():
    declared = graph_model()
    with pytest.raises(ValueError, match="no label 'Event'"):
        GraphModel(labels=(declared.label("User"),), relations=declared.relations[:1])


def test_an_event_its_message_and_its_vector_share_one_id(reader: GraphReader):
    steps = path_user_campaign(reader, "ann", "spring", limit=10)
    assert [step.record_id for step in steps] == ["9fevents:2", "9fevents:1", "9fevents:0"]


def test_purchases_add_up_without_anonymous_sales(reader: GraphReader):
    assert reader.run(
        "MATCH (u:User)-[p:PURCHASED]->(g:Product) RETURN u.user_id AS user_id, g.product_id AS product_id,"
        " p.orders AS orders, p.quantity AS quantity, p.revenue AS revenue, p.first_at AS first_at,"
        " p.last_at AS last_at, p.satisfaction AS satisfaction"
        " ORDER BY product_id",
        {},
    ) == [
        {
            "user_id": "ann",
            "product_id": "hose",
            "orders": 1,
            "quantity": 1,
            "revenue": 0.1,
            "first_at": at(11),
            "last_at": at(11),
            "satisfaction": None,
        },
        {
            "user_id": "ann",
            "product_id": "rake",
            "orders": 1,
            "quantity": 2,
            "revenue": 25.0,
            "first_at": at(9),
            "last_at": at(13),
            "satisfaction": 4.0,
        },
    ]


def test_what_users_say_counts_before_what_they_buy_and_write(reader: GraphReader):
    found = reader.run(
        "MATCH (u:User {user_id: 'ann'})-[i:INTERESTED_IN]->(t:Interest)"
        " RETURN t.name AS name, i.strength AS strength, i.source AS source, i.confidence AS confidence"
        " ORDER BY name",
        {},
    )
    assert found == [
        {"name": "garden", "strength": 0.9, "source": "stated", "confidence": 1.0},  # the later statement
        {"name": "snow", "strength": 0.25, "source": "messages", "confidence": pytest.approx(2 / 3)},
    ]


def test_similar_users_share_interests(reader: GraphReader):
    assert reader.run(
        "MATCH (u:User {user_id: 'ann'})-[s:SIMILAR_TO]->(o:User) RETURN o.user_id AS user_id,"
        " s.score AS score, s.rank AS rank, s.common_interests AS common_interests",
        {},
    ) == [{"user_id": "o'neil", "score": 0.91, "rank": 1, "common_interests": 1}]


def test_campaigns_of_a_user(reader: GraphReader):
    campaigns = user_campaigns(reader, "ann", limit=10)
    assert [
        (found.campaign_id, found.events, found.engagement_score, found.targeted) for found in campaigns
    ] == [
        ("help", 2, 6.0, False),
        ("spring", 3, 5.0, True),
    ]
    assert (campaigns[1].first_at, campaigns[1].last_at, campaigns[1].category) == (at(1), at(3), "garden")
    assert user_campaigns(reader, "ann", limit=1) == campaigns[:1]
    assert user_campaigns(reader, "nobody", limit=10) == []


def test_whether_a_user_exists(reader: GraphReader):
    assert user_exists(reader, "o'neil")
    assert not user_exists(reader, "nobody")


def test_participation_of_several_users(reader: GraphReader):
    found = participation_of_users(reader, ["ann", "o'neil", "nobody"])
    assert [(part.user_id, part.campaign_id) for part in found] == [
        ("ann", "help"),
        ("ann", "spring"),
        ("o'neil", "spring"),
    ]
    assert participation_of_users(reader, []) == []


def test_users_of_a_campaign(reader: GraphReader):
    assert [user.user_id for user in campaign_users(reader, "spring", limit=10)] == ["ann", "o'neil"]
    assert [user.user_id for user in campaign_users(reader, "spring", limit=1)] == ["ann"]


def test_how_a_user_is_connected_with_a_campaign(reader: GraphReader):
    newest, *others = path_user_campaign(reader, "ann", "spring", limit=10)
    assert (newest.event_type, newest.text, newest.timestamp) == ("message", "Where's my order? 🙂", at(3))
    assert [(step.event_type, step.text) for step in others] == [("open", None), ("impression", None)]
    assert path_user_campaign(reader, "o'neil", "help", limit=10) == []
