"""Tables: a query that the engine runs, rows, or parts that are already there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from marketing_platform.analytics import aggregates
from marketing_platform.catalog import Table, tables
from marketing_platform.defs.io_managers.reuse import KeepingIOManager, Kept, find_kept, version_read
from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name
from marketing_platform.defs.metadata import column_schema, preview
from marketing_platform.errors import UnknownName
from marketing_platform.stores.protocols import Select, StoredTable, Warehouse

_PREVIEW_ROWS = 8


@dataclass(frozen=True)
class Parts:
    """A table that consists of stored parts, such as a fact table of its batches."""

    parts: Sequence[str]
    schema: pa.Schema


class WarehouseIOManager(KeepingIOManager):
    """Stores `Select`, `Parts` or a pyarrow table; loads a `StoredTable` to query, not its rows."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def store(self, context: dg.OutputContext, obj: Select | Parts | pa.Table) -> None:
        """Store the table and show its schema, size and first rows in the UI."""
        if isinstance(obj, Select) and (before := self._made_before(context, obj)) is not None:
            self.handle_output(context, before)
            return
        name = output_name(context)
        stored = self._store(name, obj)
        table = _declared(stored.ref.name)
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(stored.fingerprint))
        context.add_output_metadata(
            {
                NAME: name,
                "dagster/row_count": stored.rows,
                "fingerprint": stored.fingerprint,
                "parts": len(stored.ref.parts),
                "dagster/column_schema": column_schema(stored.ref.schema, table),
                "preview": preview(self._first_rows(stored), table),
                **{f"cost/{figure}": amount for figure, amount in stored.cost.items()},
            }
        )

    def holds(self, name: str) -> bool:
        """Whether the warehouse has it."""
        try:
            self._warehouse.open(name)
        except UnknownName:
            return False
        return True

    def load_input(self, context: dg.InputContext) -> StoredTable:
        """The upstream table, ready to be named in a query."""
        return self._warehouse.open(input_name(context))

    def _made_before(self, context: dg.OutputContext, select: Select) -> Kept | None:
        """What the same query over the same tables was stored as; a table that is no asset is its parts."""
        step = context.step_context
        reads = {table.name: version_read(step, table.name) or table.parts for table in select.tables}
        given = {**reads, "sql": select.sql, "parameters": dict(select.parameters)}
        return find_kept(step, context.asset_key, self, given)

    def _store(self, name: str, obj: Select | Parts | pa.Table) -> StoredTable:
        if isinstance(obj, Select):
            return self._warehouse.create(name, obj)
        if isinstance(obj, Parts):
            return self._warehouse.combine(name, obj.parts, obj.schema)
        with self._warehouse.writer(name, obj.schema) as writer:
            writer.add(obj)
        return writer.stored

    def _first_rows(self, stored: StoredTable) -> pa.Table:
        columns = ", ".join(
            f'"{field.name}"' for field in stored.ref.schema if not pa.types.is_nested(field.type)
        )
        sql = f'SELECT {columns} FROM "{stored.ref.name}" LIMIT {_PREVIEW_ROWS}'  # noqa: S608 -- our own names
        return self._warehouse.query(Select(sql, [stored.ref]))


def _declared(name: str) -> Table | None:
    return tables().get(name) or aggregates().get(name)
