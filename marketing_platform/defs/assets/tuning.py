"""Parameters of the recommenders, searched now and then: evaluations use the latest there are."""

import time
from collections.abc import Mapping
from typing import Any

import dagster as dg

from marketing_platform.compute import asking
from marketing_platform.defs.assets.recommendations import GROUP
from marketing_platform.defs.io_managers import latest_metadata
from marketing_platform.defs.metadata import lines, markdown_table
from marketing_platform.errors import UnknownName
from marketing_platform.recommenders.item_batches import repeats_allowed
from marketing_platform.recommenders.item_kinds import ItemKind
from marketing_platform.recommenders.item_learning import NO_PARAMETERS, Parameters
from marketing_platform.recommenders.item_training import Items, items_of
from marketing_platform.recommenders.item_tuning import tune_items
from marketing_platform.recommenders.rules import load_rules
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import StoredTable
from marketing_platform.stores.registry import Stores

TUNING = "{}_tuning"
_PARAMETERS = "parameters"


def tuning_asset(kind: ItemKind) -> dg.AssetsDefinition:
    """The asset that searches parameters for a kind: `product_tuning`, `campaign_tuning`."""

    @dg.asset(
        name=TUNING.format(kind.words.noun),
        description=f"Parameters of each family that find best what users {kind.words.took} next, searched"
        " within a time budget.",
        group_name=GROUP,
        ins={table: dg.AssetIn() for table in kind.reads},
        io_manager_key="report_io",
        kinds={"optuna", "json"},
        owners=["team:data-science"],
        tags={"layer": "evaluation"},
    )
    def tuning(
        context: dg.AssetExecutionContext,
        stores: dg.ResourceParam[Stores],
        settings: dg.ResourceParam[Settings],
        **tables: StoredTable,
    ) -> dict[str, Any]:
        repeats = repeats_allowed(load_rules(settings.rules_dir).of(kind.name))
        started = time.monotonic()
        items = known_items(kind, context, stores, tables)
        found = tune_items(items, repeats=repeats, seconds=settings.tuning_seconds, say=context.log.info)
        context.add_output_metadata(
            {
                _PARAMETERS: dg.MetadataValue.json(found.parameters),
                "seconds": round(time.monotonic() - started, 2),
                "trials": sum(map(len, found.best.values())),
                "comparison": markdown_table(("recommender", "NDCG@10 before", "after"), found.compared()),
            }
        )
        if found.best:
            history = lines("Best NDCG@10 by trial", found.best)
            context.add_output_metadata({"history": history})
        return found.document()

    return tuning


def tuned_parameters(instance: dg.DagsterInstance, tuning: str) -> Parameters:
    """What the latest tuning found; nothing before the first."""
    try:
        latest = latest_metadata(instance, tuning)
    except UnknownName:
        return NO_PARAMETERS
    parameters: Any = latest[_PARAMETERS].value
    return parameters


def known_items(
    kind: ItemKind, context: dg.AssetExecutionContext, stores: Stores, tables: Mapping[str, StoredTable]
) -> Items:
    """The items of a kind from the tables it reads."""
    refs = [stored.ref for stored in tables.values()]
    dim = int(str(latest_metadata(context.instance, "text_embeddings")["dim"].value))
    return items_of(kind, asking(stores.warehouse, refs, kind.large), dim=dim)
