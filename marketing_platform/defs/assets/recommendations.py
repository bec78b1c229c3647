"""Answers prepared for every user: who is similar, which campaigns to show, and why."""

from typing import Any

import dagster as dg
import pyarrow as pa

from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared, latest_metadata, reusable
from marketing_platform.defs.pools import stored_in
from marketing_platform.recommenders.campaign_batches import recommend_all, similar_users_of_all
from marketing_platform.recommenders.interactions import Interactions, interactions
from marketing_platform.recommenders.prepared import SPARES, with_spares
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

GROUP = "recommendations"
_OWNERS = ["team:data-science"]


@dg.asset(
    group_name=GROUP,
    deps=["text_embeddings"],
    **stored_in("answers"),
    kinds={"sqlite", "json"},
    owners=_OWNERS,
    tags={"layer": "answers"},
    automation_condition=follow_upstream(),
)
def similar_users_lookup(
    context: dg.AssetExecutionContext,
    users: StoredTable,
    campaigns: StoredTable,
    similar_users: StoredTable,
    user_campaign_engagement: StoredTable,
    stores: dg.ResourceParam[Stores],
) -> Any:  # Prepared
    """For each user the similar users and what both took part in, as the API answers it."""
    if (before := reusable(context)) is not None:
        return before
    given = _interactions(stores, users, campaigns, similar_users, user_campaign_engagement)
    model = str(latest_metadata(context.instance, "text_embeddings")["model"].value)
    return Prepared(similar_users_of_all(given, model=model))


@dg.asset(
    group_name=GROUP,
    **stored_in("answers"),
    kinds={"sqlite", "json", "scipy"},
    owners=_OWNERS,
    tags={"layer": "answers"},
    automation_condition=follow_upstream(),
)
def recommendations(
    context: dg.AssetExecutionContext,
    users: StoredTable,
    campaigns: StoredTable,
    similar_users: StoredTable,
    user_campaign_engagement: StoredTable,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
) -> Any:  # Prepared
    """For each user the campaigns that similar users engage with, ranked and explained."""
    if (before := reusable(context, shown=settings.recommendations)) is not None:
        return before
    given = _interactions(stores, users, campaigns, similar_users, user_campaign_engagement)
    answers = recommend_all(given, limit=settings.recommendations + SPARES)
    listed = stores.warehouse.query(Select("SELECT campaign_id, category FROM campaigns", [campaigns.ref]))
    categories = dict(zip(*(listed[name].to_pylist() for name in ("campaign_id", "category")), strict=True))
    return Prepared(with_spares(answers, shown=settings.recommendations, categories=categories))


def _interactions(
    stores: Stores, users: StoredTable, campaigns: StoredTable, similar: StoredTable, engagement: StoredTable
) -> Interactions:
    def ask(sql: str, table: StoredTable) -> pa.Table:
        return stores.warehouse.query(Select(sql, [table.ref]))

    return interactions(
        ask("SELECT user_id FROM users", users)["user_id"].to_pylist(),
        ask("SELECT campaign_id FROM campaigns", campaigns)["campaign_id"].to_pylist(),
        ask("SELECT user_id, similar_user_id, score FROM similar_users", similar),
        ask("SELECT user_id, campaign_id, engagement_score FROM user_campaign_engagement", engagement),
    )
