"""The canonical tables of a release candidate."""

import dagster as dg
import pyarrow.compute as pc

from marketing_platform.catalog import Table, TableKind, tables
from marketing_platform.catalog.entities import BATCHES, LANDED, entity_sql
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import Parts
from marketing_platform.defs.pools import stored_in
from marketing_platform.stores.protocols import Select, StoredTable, TableRef, Warehouse
from marketing_platform.stores.registry import Stores

GROUP = "tables"


def table_assets() -> list[dg.AssetsDefinition]:
    """One asset per canonical table."""
    return [_fact(table) if table.kind is TableKind.FACT else _entity(table) for table in tables().values()]


def _fact(table: Table) -> dg.AssetsDefinition:
    @dg.asset(
        name=table.name,
        description=table.description,
        group_name=GROUP,
        **stored_in("warehouse"),
        kinds={"duckdb", "parquet"},
        owners=["team:data-platform"],
        tags={"layer": "table", "kind": "fact"},
        automation_condition=follow_upstream(),
    )
    def fact(admitted_batches: StoredTable, stores: dg.ResourceParam[Stores]) -> Parts:
        return Parts(_parts(table, admitted_batches, stores.warehouse), table.arrow_schema)

    return fact


def _entity(table: Table) -> dg.AssetsDefinition:
    places = {place.table for place in table.seen_in}

    @dg.asset(
        name=table.name,
        description=table.description,
        group_name=GROUP,
        ins={BATCHES: dg.AssetIn(), **{place: dg.AssetIn() for place in sorted(places)}},
        **stored_in("warehouse"),
        kinds={"duckdb", "parquet"},
        owners=["team:data-platform"],
        tags={"layer": "table", "kind": "entity"},
        automation_condition=follow_upstream(),
    )
    def entity(stores: dg.ResourceParam[Stores], **upstream: StoredTable) -> Select:
        landed = TableRef(LANDED, _parts(table, upstream[BATCHES], stores.warehouse), table.arrow_schema)
        return Select(entity_sql(table), [landed, *(stored.ref for stored in upstream.values())])

    return entity


def _parts(table: Table, admitted: StoredTable, warehouse: Warehouse) -> tuple[str, ...]:
    """The parts with the table's rows, one per admitted batch that has any."""
    sql = f"SELECT parts[$table] AS part FROM {BATCHES} WHERE parts[$table] IS NOT NULL ORDER BY sequence"  # noqa: S608
    found = warehouse.query(Select(sql, [admitted.ref], {"table": table.name}))
    return tuple(pc.cast(found["part"], "string").to_pylist())
