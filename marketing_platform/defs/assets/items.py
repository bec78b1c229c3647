"""Items for every user, products and campaigns alike: how good the recommenders are, what the best says.

A kind of items is declared in `recommenders/item_kinds.py`; each gets the assets made here. How
parameters are found is in `tuning.py`.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from marketing_platform.defs.assets.recommendations import GROUP
from marketing_platform.defs.assets.tuning import TUNING, known_items, tuned_parameters
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared, reusable
from marketing_platform.defs.metadata import bars, markdown_table
from marketing_platform.defs.pools import stored_in
from marketing_platform.recommenders.feedback import ToldByUsers, told_by_users
from marketing_platform.recommenders.item_batches import recommend_items, repeats_allowed
from marketing_platform.recommenders.item_kinds import ItemKind
from marketing_platform.recommenders.item_learning import Evaluated, K, evaluate_items, hybrid_of
from marketing_platform.recommenders.item_training import Items
from marketing_platform.recommenders.prepared import SPARES
from marketing_platform.recommenders.rules import Rule, load_rules
from marketing_platform.recommenders.suppressing import with_suppressions
from marketing_platform.releases.overrides import Overrides, suppressed
from marketing_platform.releases.version import declared_version
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

EVALUATION = "{}_evaluation"
RECOMMENDATIONS = "{}_recommendations"

_OWNERS = ["team:data-science"]
_COLUMNS = ("recommender", "P@10", "R@10", "NDCG@10", "HR@10", "coverage", "train s", "score s", "peak GB")


def evaluation_asset(kind: ItemKind) -> dg.AssetsDefinition:
    """The asset that judges the recommenders of a kind: `product_evaluation`, `campaign_evaluation`."""
    name, tuning = EVALUATION.format(kind.words.noun), TUNING.format(kind.words.noun)

    @dg.asset(
        name=name,
        description=f"How well each family and the hybrid find what users {kind.words.took} next, and what"
        " the hybrid weighs.",
        group_name=GROUP,
        ins={table: dg.AssetIn() for table in kind.reads},
        deps=[tuning],
        io_manager_key="report_io",
        kinds={"scipy", "json"},
        owners=_OWNERS,
        tags={"layer": "evaluation"},
        automation_condition=follow_upstream(apart_from=tuning),
    )
    def evaluation(
        context: dg.AssetExecutionContext,
        stores: dg.ResourceParam[Stores],
        settings: dg.ResourceParam[Settings],
        **tables: StoredTable,
    ) -> Any:  # a document
        repeats = repeats_allowed(load_rules(settings.rules_dir).of(kind.name))
        if (before := reusable(context, repeats=repeats)) is not None:
            return before
        tuned = tuned_parameters(context.instance, tuning)
        started = time.monotonic()
        found = evaluate_items(known_items(kind, context, stores, tables), repeats=repeats, tuned=tuned)
        seconds = round(time.monotonic() - started, 2)
        context.add_output_metadata({"held_out": found.how, "seconds": seconds, **_shown(found)})
        return found.document()

    return evaluation


def recommendations_asset(kind: ItemKind) -> dg.AssetsDefinition:
    """The asset that answers for all users: `product_recommendations`, `campaign_recommendations`."""
    evaluated = EVALUATION.format(kind.words.noun)

    @dg.asset(
        name=RECOMMENDATIONS.format(kind.words.noun),
        description=f"For each user the {kind.name} that the hybrid ranks first and the rules allow, each"
        " with its reason.",
        group_name=GROUP,
        ins={
            **{table: dg.AssetIn() for table in (*kind.reads, "feedback")},
            "evaluation": dg.AssetIn(evaluated),
        },
        **stored_in("answers"),
        kinds={"sqlite", "json", "scipy"},
        owners=_OWNERS,
        tags={"layer": "answers"},
        automation_condition=follow_upstream(),
    )
    def recommended(
        context: dg.AssetExecutionContext,
        evaluation: dict[str, Any],
        stores: dg.ResourceParam[Stores],
        settings: dg.ResourceParam[Settings],
        overrides: dg.ResourceParam[Overrides],
        **tables: StoredTable,
    ) -> Any:  # Prepared
        now = datetime.now(UTC)
        if (before := reusable(context, **given_to_lists(settings, overrides, now))) is not None:
            return before
        items = suppressed_items(kind, context, stores, overrides, tables)
        rules = load_rules(settings.rules_dir).of(kind.name)
        told = told_about(items, rules, stores, tables, now)
        lists = recommend_items(
            items,
            hybrid_of(evaluation, items.training),
            rules,
            told,
            limit=settings.recommendations + SPARES,
            shown=settings.recommendations,
            today=now.date(),
            say=context.log.info,
        )
        return Prepared(lists)

    return recommended


def given_to_lists(settings: Settings, overrides: Overrides, now: datetime) -> dict[str, object]:
    """What lists of items depend on beside tables; they hold for the day that they are made on."""
    return {
        "rules": declared_version(settings.rules_dir),
        "suppressions": sorted(one.suppression_id for one in overrides.holding(now)),
        "shown": settings.recommendations,
        "today": now.date(),
    }


def told_about(
    items: Items, rules: Sequence[Rule], stores: Stores, tables: Mapping[str, StoredTable], now: datetime
) -> ToldByUsers:
    """What users did with items shown to them; `tables` holds `feedback`, and for campaigns `events`."""
    refs = [stored.ref for stored in tables.values()]
    return told_by_users(
        lambda sql: stores.warehouse.query(Select(sql, refs)),
        items.kind.words.noun,
        rules,
        users=items.training.users,
        items=items.training.items,
        now=now,
    )


def suppressed_items(
    kind: ItemKind,
    context: dg.AssetExecutionContext,
    stores: Stores,
    overrides: Overrides,
    tables: Mapping[str, StoredTable],
) -> Items:
    """What is known of the items of a kind, with what people took out, so that lists are made without it."""
    now = datetime.now(UTC)
    known = known_items(kind, context, stores, tables)
    return with_suppressions(known, suppressed(overrides.holding(now), kind.words.noun, now=now))


def _shown(found: Evaluated) -> dict[str, Any]:
    """The table, a plot, and the figures that checks judge; nothing when nothing was judged."""
    if found.of_hybrid is None:
        return {}
    rows = [(row, row.quality[K]) for row in found.rows]
    parts = [(part, q.users, q.precision, q.recall, q.ndcg) for part, q in found.parts.items()]
    # Asked the same way whatever the rules say of repeats, so that releases can be compared by it.
    judged = {f"{part}_ndcg_at_{K}": q.ndcg for part, q in found.parts.items()}
    return {
        f"ndcg_at_{K}": found.of_hybrid.ndcg,
        **judged,
        **{f"{part}_users": q.users for part, q in found.parts.items()},
        "comparison": markdown_table(
            _COLUMNS,
            [
                (
                    row.recommender,
                    *(q.precision, q.recall, q.ndcg, q.hit_rate, q.coverage),
                    *(round(seconds, 3) for seconds in (row.train_s, row.score_s)),
                    row.peak_gb,
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
