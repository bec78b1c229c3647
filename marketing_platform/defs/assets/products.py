"""Products for every user: how good the recommenders are, and what the best of them says."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from marketing_platform.defs.assets.recommendations import GROUP
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared, latest_metadata
from marketing_platform.defs.metadata import bars, markdown_table
from marketing_platform.defs.pools import stored_in
from marketing_platform.recommenders.feedback import ToldByUsers, told_by_users
from marketing_platform.recommenders.item_training import Products, products_of
from marketing_platform.recommenders.prepared import SPARES, with_spares
from marketing_platform.recommenders.product_batches import recommend_products, repeats_allowed
from marketing_platform.recommenders.product_learning import Evaluated, K, evaluate_products, hybrid_of
from marketing_platform.recommenders.product_lists import categories_of, lists_of_family, trending_lists
from marketing_platform.recommenders.rules import Rule, load_rules
from marketing_platform.recommenders.suppressing import with_suppressions
from marketing_platform.releases.overrides import Overrides, suppressed
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
    overrides: dg.ResourceParam[Overrides],
) -> Prepared:
    """For each user the products that the hybrid ranks first and the rules allow, each with its reason."""
    tables = (users, products, purchases, interests, campaigns, user_campaign_engagement, text_embeddings)
    known = _suppressed(_products(context, stores, *tables), overrides)
    rules, now = load_rules(settings.rules_dir).products, datetime.now(UTC)
    answers = recommend_products(
        known,
        hybrid_of(recommender_evaluation, known.training),
        rules,
        _told(stores, feedback, known, rules, now),
        limit=settings.recommendations + SPARES,
        today=now.date(),
        say=context.log.info,
    )
    return Prepared(with_spares(answers, shown=settings.recommendations, categories=categories_of(known)))


def _list_of_products(description: str) -> dg.AssetOut:
    return dg.AssetOut(
        description=description,
        io_manager_key="answers_io",
        kinds={"sqlite", "json", "scipy"},
        owners=_OWNERS,
        tags={"layer": "answers"},
        automation_condition=follow_upstream(),
    )


@dg.multi_asset(
    name="product_lists",
    group_name=GROUP,
    pool="answers",
    outs={
        "trending_products": _list_of_products(
            "What most users bought lately: one list, and for each user what of it is not for them."
        ),
        "cross_category_products": _list_of_products(
            "For each user what goes with their purchases, of categories that are new to them."
        ),
        "content_products": _list_of_products("For each user what reads like their messages and purchases."),
    },
)
def product_lists(
    context: dg.AssetExecutionContext,
    users: StoredTable,
    products: StoredTable,
    purchases: StoredTable,
    interests: StoredTable,
    campaigns: StoredTable,
    user_campaign_engagement: StoredTable,
    text_embeddings: StoredTable,
    recommender_evaluation: dict[str, Any],
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
    overrides: dg.ResourceParam[Overrides],
):
    """Lists of one family each, beside the hybrid's."""
    tables = (users, products, purchases, interests, campaigns, user_campaign_engagement, text_embeddings)
    known = _suppressed(_products(context, stores, *tables), overrides)
    rules = load_rules(settings.rules_dir).products
    shown, today = settings.recommendations, datetime.now(UTC).date()
    trending = trending_lists(known, recommender_evaluation, rules, shown=shown, today=today)
    yield dg.Output(Prepared(trending), "trending_products")
    for family, strategy in (("discovery", "cross_category"), ("content", "content")):
        found = lists_of_family(
            known, recommender_evaluation, family, rules, strategy=strategy, shown=shown, today=today
        )
        yield dg.Output(Prepared(found), f"{strategy}_products")


def _told(
    stores: Stores, feedback: StoredTable, known: Products, rules: Sequence[Rule], now: datetime
) -> ToldByUsers:
    """What users did with what was shown to them."""
    return told_by_users(
        lambda sql: stores.warehouse.query(Select(sql, [feedback.ref])),
        "product",
        rules,
        users=known.training.users,
        items=known.training.items,
        now=now,
    )


def _suppressed(known: Products, overrides: Overrides) -> Products:
    """What people took out, so that lists are made without it."""
    now = datetime.now(UTC)
    return with_suppressions(known, suppressed(overrides.holding(now), "product", now=now))


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
