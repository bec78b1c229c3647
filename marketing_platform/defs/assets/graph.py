"""The knowledge graph of a release candidate, and what messages say of users' interests."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import dagster as dg
import numpy as np
import pyarrow as pa

from marketing_platform.defs.changes import OF
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import (
    KnowledgeGraph,
    latest_metadata,
    latest_name,
    made_by_this_code,
    reusable,
)
from marketing_platform.defs.pools import stored_in
from marketing_platform.encoders.messages import VECTORS, WRITTEN, rows_of, vector_matrix
from marketing_platform.errors import UnknownName
from marketing_platform.graph import project_graph
from marketing_platform.graph.changes import graph_changes
from marketing_platform.graph.interests import DESCRIBED, VOCABULARY, message_interests, topics
from marketing_platform.recommenders.neighbours import user_vectors_of
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable, TableRef
from marketing_platform.stores.registry import Stores

GROUP = "graph"
MESSAGE_INTERESTS = "message_interests"
KNOWLEDGE_GRAPH = "knowledge_graph"


@dg.asset(
    name=MESSAGE_INTERESTS,
    group_name=GROUP,
    **stored_in("warehouse"),
    kinds={"numpy", "parquet"},
    owners=["team:data-science"],
    tags={"layer": "embedding"},
    automation_condition=follow_upstream(),
)
def interests_of_messages(
    context: dg.AssetExecutionContext,
    stores: dg.ResourceParam[Stores],
    events: StoredTable,
    products: StoredTable,
    interests: StoredTable,
    text_embeddings: StoredTable,
) -> Any:  # a table
    """How many messages of each user are about each interest, by what their vectors lie near to."""
    if (before := reusable(context)) is not None:
        return before
    said = stores.warehouse.query(Select(VECTORS, [text_embeddings.ref]))
    dim = int(str(latest_metadata(context.instance, "text_embeddings")["dim"].value))
    vectors = vector_matrix(said["text_embedding"], dim=dim)

    def rows(column: pa.ChunkedArray) -> np.ndarray:
        return rows_of(column, said["text"])

    names = stores.warehouse.query(Select(VOCABULARY, [products.ref, interests.ref]))["name"]
    listed = stores.warehouse.query(Select(DESCRIBED, [products.ref]))
    described, centroids = user_vectors_of(
        listed["name"].to_pylist(), rows(listed["text"]), listed["times"].to_numpy(), vectors
    )
    told = topics(names.to_pylist(), vectors[rows(names)], described, centroids)
    written = stores.warehouse.query(Select(WRITTEN, [events.ref]))
    used = np.unique(rows(written["text"]))
    found = message_interests(written, said["text"].take(used).combine_chunks(), vectors[used], told)
    context.add_output_metadata({"interests": len(told.names), "users": len(found["user_id"].unique())})
    return found


@dg.asset(
    name=KNOWLEDGE_GRAPH,
    group_name=GROUP,
    **stored_in("graph"),
    kinds={"ladybug", "cypher"},
    owners=["team:data-platform"],
    tags={"layer": "graph"},
    automation_condition=follow_upstream(),
    retry_policy=dg.RetryPolicy(max_retries=1, delay=1),
)
def knowledge_graph(
    context: dg.AssetExecutionContext,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
    events: StoredTable,
    campaigns: StoredTable,
    users: StoredTable,
    products: StoredTable,
    purchases: StoredTable,
    derived_interests: StoredTable,
    similar_users: StoredTable,
    product_pairs: StoredTable,
    user_campaign_engagement: StoredTable,
) -> Any:  # KnowledgeGraph
    """Users, events, messages, campaigns, products, interests and how they relate."""
    facts = (events, campaigns, users, products, purchases)
    computed = (derived_interests, similar_users, product_pairs, user_campaign_engagement)
    tables = {stored.ref.name: stored for stored in (*facts, *computed)}

    def ask(sql: str, refs: Sequence[TableRef]) -> Iterator[pa.Table]:
        return stores.warehouse.batches(Select(sql, refs), chunk_rows=settings.chunk_rows)

    made_of = {OF.format(name): latest_name(context.instance, name) for name in tables}
    context.add_output_metadata(made_of)
    if (kept := reusable(context)) is not None:
        return kept
    before = _graph_before(context.instance, stores, tables)
    changes = None if before is None else graph_changes(ask, tables, before.tables, base=before.name)
    made_from = "all rows" if changes is None else f"what differs from {changes.base}"
    context.add_output_metadata({"made_from": made_from})
    nodes, relations = project_graph(lambda sql: ask(sql, [stored.ref for stored in tables.values()]))
    return KnowledgeGraph(nodes, relations, changes)


class _Before(NamedTuple):
    """A graph that was stored, and the tables it was made of."""

    name: str
    tables: dict[str, StoredTable]


def _graph_before(instance: dg.DagsterInstance, stores: Stores, tables: Iterable[str]) -> _Before | None:
    """The latest graph, if this code made it and all that it was made of is still there."""
    if (latest := made_by_this_code(instance, KNOWLEDGE_GRAPH)) is None:
        return None
    try:
        opened = {name: stores.warehouse.open(str(latest[OF.format(name)].value)) for name in tables}
    except UnknownName:
        return None
    return _Before(latest_name(instance, KNOWLEDGE_GRAPH), opened)
