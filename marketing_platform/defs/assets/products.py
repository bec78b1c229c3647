"""Products for every user: how good the recommenders are, and what the best of them says."""

import time
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from marketing_platform.defs.assets.recommendations import GROUP
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared, latest_metadata
from marketing_platform.defs.metadata import bars, markdown_table
from marketing_platform.defs.pools import stored_in
from marketing_platform.recommenders.feedback import told_by_users
from marketing_platform.recommenders.item_training import Products, products_of
from marketing_platform.recommenders.product_batches import recommend_products, repeats_allowed
from marketing_platform.recommenders.product_learning import Evaluated, K, evaluate_products, hybrid_of
from marketing_platform.recommenders.rules import load_rules
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

_OWNERS = ["team:data-science"]
_COLUMNS = ("recommender", "P@10", "R@10", "NDCG@10", "HR@10", "coverage", "train s", "score s", "peak GB")


@dg.asset(
    group_name=GROUP,
    io_manager_key="report_io",
    kinds={"scipy", "json"},
    owners=_OWNERS,
    tags={"layer": "evaluation"},
    automation_condition=follow_upstream(),
)
def recommender_evaluation(
    context: dg.AssetExecutionContext,
    users: StoredTable,
    products: StoredTable,
    purchases: StoredTable,
    interests: StoredTable,
    campaigns: StoredTable,
    user_campaign_engagement: StoredTable,
    text_embeddings: StoredTable,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
) -> dict[str, Any]:
    """How well each family and the hybrid find what users bought next, and what the hybrid weighs."""
    tables = (users, products, purchases, interests, campaigns, user_campaign_engagement, text_embeddings)
    known = _products(context, stores, *tables)
    rules = load_rules(settings.rules_dir).products
    started = time.monotonic()
    found = evaluate_products(known, repeats=repeats_allowed(rules))
    context.add_output_metadata(
        {"held_out": found.how, "seconds": round(time.monotonic() - started, 2), **_shown(found)}
    )
    return found.document()


@dg.asset(
    group_name=GROUP,
    **stored_in("answers"),
    kinds={"sqlite", "json", "scipy"},
    owners=_OWNERS,
    tags={"layer": "answers"},
    automation_condition=follow_upstream(),
)
def product_recommendations(
    context: dg.AssetExecutionContext,
    users: StoredTable,
    products: StoredTable,
    purchases: StoredTable,
    interests: StoredTable,
    campaigns: StoredTable,
    user_campaign_engagement: StoredTable,
    text_embeddings: StoredTable,
    recommender_evaluation: dict[str, Any],
    feedback: StoredTable,
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
) -> Prepared:
    """For each user the products that the hybrid ranks first and the rules allow, each with its reason."""
    tables = (users, products, purchases, interests, campaigns, user_campaign_engagement, text_embeddings)
    known = _products(context, stores, *tables)
    rules, now = load_rules(settings.rules_dir).products, datetime.now(UTC)
    told = told_by_users(
        lambda sql: stores.warehouse.query(Select(sql, [feedback.ref])),
        "product",
        rules,
        users=known.training.users,
        items=known.training.items,
        now=now,
    )
    answers = recommend_products(
        known,
        hybrid_of(recommender_evaluation, known.training),
        rules,
        told,
        limit=settings.recommendations,
        today=now.date(),
        say=context.log.info,
    )
    return Prepared(answers)


def _products(context: dg.AssetExecutionContext, stores: Stores, *tables: StoredTable) -> Products:
    refs = [stored.ref for stored in tables]
    dim = int(str(latest_metadata(context.instance, "text_embeddings")["dim"].value))
    return products_of(lambda sql: stores.warehouse.query(Select(sql, refs)), dim=dim)


def _shown(found: Evaluated) -> dict[str, Any]:
    """The table, a plot, and the figures that the check `quality` judges; nothing when nothing was judged."""
    if found.of_hybrid is None:
        return {}
    rows = [(row, row.quality[K]) for row in found.rows]
    parts = [(part, q.users, q.precision, q.recall, q.ndcg) for part, q in found.parts.items()]
    return {
        f"ndcg_at_{K}": found.of_hybrid.ndcg,
        # Asked the same way whatever the rules say of repeats, so that releases can be compared by it.
        f"discovery_ndcg_at_{K}": found.parts["discovery"].ndcg,
        "discovery_users": found.parts["discovery"].users,
        "comparison": markdown_table(
            _COLUMNS,
            [
                (
                    row.recommender,
                    *(q.precision, q.recall, q.ndcg, q.hit_rate, q.coverage),
                    *(row.train_s, row.score_s, row.peak_gb),
                )
                for row, q in rows
            ],
        ),
        "repeat_and_discovery": markdown_table(("of the hybrid", "users", "P@10", "R@10", "NDCG@10"), parts),
        "ndcg": bars(
            "NDCG@10 on what was held out", [r.recommender for r, _ in rows], [q.ndcg for _, q in rows]
        ),
        "weights": markdown_table(
            ("segment", *found.families),
            [(s, *(w.get(name, 0.0) for name in found.families)) for s, w in found.blend.weights.items()],
        ),
    }
