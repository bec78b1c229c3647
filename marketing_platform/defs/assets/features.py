"""Features at the end of the data: a table per entity, and ready answers for every user."""

from datetime import datetime
from typing import Any

import dagster as dg

from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Prepared, latest_metadata, reusable
from marketing_platform.defs.metadata import markdown_table
from marketing_platform.defs.pools import stored_in
from marketing_platform.features.answers import feature_answers
from marketing_platform.features.asking import ask_tables, end_of_data
from marketing_platform.features.queries import TIMED, every_entity, values_sql
from marketing_platform.features.spec import ENTITIES, Entity, Features
from marketing_platform.releases.version import declared_version
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

GROUP = "features"
LOOKUP = "user_features_lookup"
_OWNERS = ["team:data-science"]


def table_of(entity: Entity) -> str:
    """The asset with the features of every entity of a kind."""
    return f"{entity}_features"


def feature_assets(declared: dict[Entity, Features]) -> list[dg.AssetsDefinition]:
    """A table per entity, and the answers about users."""
    return [*(_table(declared[entity]) for entity in ENTITIES), _lookup(declared["user"])]


def _table(features: Features) -> dg.AssetsDefinition:
    shown = [(one.name, one.aggregate, one.unit or "", one.description) for one in features.declared]

    @dg.asset(
        name=table_of(features.entity),
        description=f"What models are told about every {features.entity}, at the end of the data.",
        group_name=GROUP,
        ins={name: dg.AssetIn() for name in dict.fromkeys([*features.reads, *TIMED])},
        **stored_in("warehouse"),
        kinds={"duckdb", "parquet", "sql"},
        owners=_OWNERS,
        tags={"layer": "features"},
        automation_condition=follow_upstream(),
        metadata={"features": markdown_table(["feature", "aggregate", "unit", "description"], shown)},
    )
    def table(
        context: dg.AssetExecutionContext, stores: dg.ResourceParam[Stores], **upstream: StoredTable
    ) -> Select:
        refs = {name: stored.ref for name, stored in upstream.items()}
        at = end_of_data(ask_tables(stores.warehouse, refs))
        context.add_output_metadata({"as_of": at.isoformat()})
        sql = values_sql(features, every_entity(features), pair=features.key)
        return Select(sql, [refs[name] for name in features.reads], {"at": at})

    return table


def _lookup(features: Features) -> dg.AssetsDefinition:
    @dg.asset(
        name=LOOKUP,
        group_name=GROUP,
        **stored_in("answers"),
        kinds={"sqlite", "json"},
        owners=_OWNERS,
        tags={"layer": "answers"},
        automation_condition=follow_upstream(),
    )
    def lookup(
        context: dg.AssetExecutionContext,
        user_features: StoredTable,
        user_vectors: StoredTable,
        stores: dg.ResourceParam[Stores],
        settings: dg.ResourceParam[Settings],
    ) -> Any:  # Prepared
        """For each user the features as the API answers them; the centroid is what `user_vectors` says."""
        as_of = datetime.fromisoformat(str(latest_metadata(context.instance, "user_features")["as_of"].value))
        if (
            before := reusable(context, as_of=as_of, features=declared_version(settings.features_dir))
        ) is not None:
            return before
        dim = int(str(latest_metadata(context.instance, "user_vectors")["dim"].value))
        rows = stores.warehouse.batches(
            Select("SELECT * FROM user_features ORDER BY user_id", [user_features.ref]),
            chunk_rows=settings.chunk_rows,
        )
        vectors = stores.warehouse.query(
            Select("SELECT user_id, vector FROM user_vectors", [user_vectors.ref])
        )
        return Prepared(feature_answers(features, rows, vectors, dim=dim, as_of=as_of))

    return lookup
