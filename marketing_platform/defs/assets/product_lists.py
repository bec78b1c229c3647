"""Lists of products of one family each, beside the hybrid's: trending, cross-category, content."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from marketing_platform.defs.assets.items import EVALUATION, given_to_lists, suppressed_items, told_about
from marketing_platform.defs.assets.recommendations import GROUP
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared, reusable
from marketing_platform.recommenders.item_kinds import PRODUCTS
from marketing_platform.recommenders.product_lists import lists_of_family, trending_lists
from marketing_platform.recommenders.rules import load_rules
from marketing_platform.releases.overrides import Overrides
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import StoredTable
from marketing_platform.stores.registry import Stores

TRENDING = "trending_products"
# Named after what an answer of theirs calls its strategy.
OF_FAMILIES = {"cross_category": "discovery", "content": "content"}
PRODUCT_LISTS = (TRENDING, *(f"{strategy}_products" for strategy in OF_FAMILIES))


def _list(description: str) -> dg.AssetOut:
    return dg.AssetOut(
        description=description,
        io_manager_key="answers_io",
        kinds={"sqlite", "json", "scipy"},
        owners=["team:data-science"],
        tags={"layer": "answers"},
        automation_condition=follow_upstream(),
    )


@dg.multi_asset(
    name="product_lists",
    group_name=GROUP,
    pool="answers",
    ins={
        **{table: dg.AssetIn() for table in (*PRODUCTS.reads, "feedback")},
        "evaluation": dg.AssetIn(EVALUATION.format(PRODUCTS.words.noun)),
    },
    outs={
        TRENDING: _list(
            "What most users bought lately: one list, and for each user what of it is not for them."
        ),
        "cross_category_products": _list(
            "For each user what goes with their purchases, of categories that are new to them."
        ),
        "content_products": _list("For each user what reads like their messages and purchases."),
    },
)
def product_lists(
    context: dg.AssetExecutionContext,
    evaluation: dict[str, Any],
    stores: dg.ResourceParam[Stores],
    settings: dg.ResourceParam[Settings],
    overrides: dg.ResourceParam[Overrides],
    **tables: StoredTable,
):
    """Lists of one family each, beside the hybrid's."""
    now = datetime.now(UTC)
    given = given_to_lists(settings, overrides, now)
    before = {name: reusable(context, name, **given) for name in PRODUCT_LISTS}
    if all(before.values()):
        yield from (dg.Output(kept, name) for name, kept in before.items())
        return
    known = suppressed_items(PRODUCTS, context, stores, overrides, tables)
    rules = load_rules(settings.rules_dir).products
    told = told_about(known, rules, stores, tables, now)
    shown, today = settings.recommendations, now.date()
    trending = trending_lists(known, evaluation, rules, told, shown=shown, today=today)
    yield dg.Output(before[TRENDING] or Prepared(trending), TRENDING)
    for strategy, family in OF_FAMILIES.items():
        found = lists_of_family(
            known, evaluation, family, rules, told, strategy=strategy, shown=shown, today=today
        )
        name = f"{strategy}_products"
        yield dg.Output(before[name] or Prepared(found), name)
