"""Small canonical tables for tests: rows as dicts, everything not given is null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from marketing_platform.catalog import table
from marketing_platform.stores.protocols import TableRef
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse


def rows_of(name: str, rows: Sequence[Mapping[str, Any]], *, batch: str = "a.csv@0123456789ab") -> pa.Table:
    """Canonical rows of one batch."""
    schema = table(name).arrow_schema
    filled = [
        {field.name: None for field in schema} | {"batch_id": batch, "row_ordinal": number} | dict(row)
        for number, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(filled, schema=schema)


def stored(folder: Path, tables: Mapping[str, pa.Table]) -> tuple[DuckDBWarehouse, dict[str, TableRef]]:
    """A warehouse that holds these tables, and how queries name them."""
    warehouse = DuckDBWarehouse(folder)
    refs = {}
    for name, rows in tables.items():
        with warehouse.writer(f"{name}__1", rows.schema) as writer:
            writer.add(rows)
        refs[name] = writer.stored.ref
    return warehouse, refs
