"""Writing a graph to Neo4j: the store beside the bare driver with the same nodes and relations.

The bare side does what a script would: one UNWIND per batch in a managed transaction, a constraint for each
label, no other name to be kept apart from, nothing hidden until it is complete.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa
from neo4j import GraphDatabase, ManagedTransaction, Session

from benchmarks.pairs import Figures, timed_in_turns
from marketing_platform.stores.graph_neo4j import Neo4jGraphs
from marketing_platform.stores.neo4j_settings import Neo4jSettings
from marketing_platform.stores.protocols import NodeSet, RelationSet

_NAME = "benchmark_graph"


def compare(
    settings: Neo4jSettings, *, users: int = 5_000, relations: int = 50_000, rounds: int = 2
) -> Figures:
    """Write the same graph with both, taking turns so that a busy machine slows both."""
    store = Neo4jGraphs(settings.model_copy(update={"keep_dropped_seconds": 0.0}))
    nodes, edges = _graph(users, relations)

    def ours() -> float:
        started = time.perf_counter()
        store.write(_NAME, nodes, edges)
        took = time.perf_counter() - started
        store.drop(_NAME)
        return took

    return timed_in_turns(
        "graph",
        "relations into Neo4j",
        relations,
        ours=ours,
        theirs=lambda: _timed_bare(settings, nodes, edges),
        rounds=rounds,
    )


def _graph(users: int, relations: int) -> tuple[list[NodeSet], list[RelationSet]]:
    chance = random.Random(1)
    user_ids = [f"user-{number:06d}" for number in range(users)]
    campaigns = [f"campaign-{number:03d}" for number in range(200)]
    pairs = pa.table(
        {
            "source_key": [chance.choice(user_ids) for _ in range(relations)],
            "target_key": [chance.choice(campaigns) for _ in range(relations)],
            "engagement_score": [chance.random() for _ in range(relations)],
            "last_at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * relations, pa.timestamp("us", tz="UTC")),
        }
    )
    nodes = [
        NodeSet("User", pa.table({"user_id": user_ids, "name": user_ids})),
        NodeSet("Campaign", pa.table({"campaign_id": campaigns, "name": campaigns})),
    ]
    return nodes, [RelationSet("PARTICIPATED_IN", "User", "Campaign", pairs)]


def _timed_bare(settings: Neo4jSettings, nodes: Iterable[NodeSet], edges: Iterable[RelationSet]) -> float:
    keys = {"User": "user_id", "Campaign": "campaign_id"}
    with (
        GraphDatabase.driver(settings.uri, auth=settings.credentials) as driver,
        driver.session(database=settings.database) as session,
    ):
        started = time.perf_counter()
        for node_set in nodes:
            label, key = f"Bare{node_set.label}", keys[node_set.label]
            _unwind(session, f"CREATE (n:{label}) SET n = row", node_set.rows, settings.batch_rows)
            session.run(f"CREATE CONSTRAINT {label} FOR (n:{label}) REQUIRE n.{key} IS UNIQUE").consume()
        for edge_set in edges:
            _unwind(
                session,
                "MATCH (a:BareUser {user_id: row.source_key}) "
                "MATCH (b:BareCampaign {campaign_id: row.target_key}) "
                f"CREATE (a)-[:{edge_set.type} "
                "{engagement_score: row.engagement_score, last_at: row.last_at}]->(b)",
                edge_set.rows,
                settings.batch_rows,
            )
        seconds = time.perf_counter() - started
        for label in keys:
            session.run(f"DROP CONSTRAINT Bare{label}").consume()
            for what in ("(:Bare{0})-[x]->()", "(x:Bare{0})"):
                query = f"MATCH {what.format(label)} CALL (x) {{ DELETE x }} IN TRANSACTIONS OF 10000 ROWS"
                session.run(query).consume()
    return seconds


def _unwind(session: Session, clause: str, rows: pa.Table, batch_rows: int) -> None:
    def work(transaction: ManagedTransaction, batch: list[dict[str, object]]) -> None:
        transaction.run(f"UNWIND $rows AS row {clause}", rows=batch).consume()

    for batch in rows.to_batches(max_chunksize=batch_rows):
        session.execute_write(work, batch.to_pylist())
