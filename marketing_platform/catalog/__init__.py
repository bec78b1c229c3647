"""The canonical tables: what a row of each table is, declared once in `tables/*.yaml`.

Stored schemas, typing of landed text, column metadata in the Dagster UI and the generated
reference all derive from here. Rules about values (required, ranges, uniqueness) do not belong
here: they live in `expectations/`, one suite per table.
"""

from marketing_platform.catalog.model import Column, ColumnType, Table, TableKind
from marketing_platform.catalog.registry import table, tables

__all__ = ["Column", "ColumnType", "Table", "TableKind", "table", "tables"]
