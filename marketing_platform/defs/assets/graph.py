"""The knowledge graph of a release candidate, and what messages say of users' interests."""

import dagster as dg
import numpy as np
import pyarrow as pa

from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import KnowledgeGraph, latest_metadata
from marketing_platform.defs.pools import stored_in
from marketing_platform.encoders.messages import VECTORS, WRITTEN, rows_of, vector_matrix
from marketing_platform.graph import project_graph
from marketing_platform.graph.interests import DESCRIBED, VOCABULARY, message_interests, topics
from marketing_platform.recommenders.neighbours import user_vectors_of
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

GROUP = "graph"
MESSAGE_INTERESTS = "message_interests"


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
) -> pa.Table:
    """How many messages of each user are about each interest, by what their vectors lie near to."""
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
    group_name=GROUP,
    **stored_in("graph"),
    kinds={"ladybug", "cypher"},
    owners=["team:data-platform"],
    tags={"layer": "graph"},
    automation_condition=follow_upstream(),
    retry_policy=dg.RetryPolicy(max_retries=1, delay=1),
)
def knowledge_graph(
    stores: dg.ResourceParam[Stores],
    events: StoredTable,
    campaigns: StoredTable,
    users: StoredTable,
    products: StoredTable,
    purchases: StoredTable,
    derived_interests: StoredTable,
    similar_users: StoredTable,
    product_pairs: StoredTable,
    user_campaign_engagement: StoredTable,
) -> KnowledgeGraph:
    """Users, events, messages, campaigns, products, interests and how they relate."""
    facts = (events, campaigns, users, products, purchases)
    computed = (derived_interests, similar_users, product_pairs, user_campaign_engagement)
    refs = [stored.ref for stored in (*facts, *computed)]
    nodes, relations = project_graph(lambda sql: stores.warehouse.query(Select(sql, refs)))
    return KnowledgeGraph(nodes, relations)
