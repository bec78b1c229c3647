"""The knowledge graph of a release candidate."""

import dagster as dg

from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import KnowledgeGraph
from marketing_platform.defs.pools import stored_in
from marketing_platform.graph import project_graph
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

GROUP = "graph"


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
    interests: StoredTable,
    user_campaign_engagement: StoredTable,
) -> KnowledgeGraph:
    """Users, events, messages, campaigns, products, interests and how they relate."""
    tables = (events, campaigns, users, products, purchases, interests, user_campaign_engagement)
    refs = [stored.ref for stored in tables]
    nodes, relations = project_graph(lambda sql: stores.warehouse.query(Select(sql, refs)))
    return KnowledgeGraph(nodes, relations)
