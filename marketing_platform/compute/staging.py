"""What lies between this process and a job: rows on their way in, and what shape comes out.

Staged files are Parquet in a folder that is gone after the job (`NamedFolders.private`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from marketing_platform.compute.jobs import View
from marketing_platform.stores.protocols import FileParts, Select, TableRef, Warehouse
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse

_CHUNK_ROWS = 50_000


def stage(chunks: Iterable[pa.Table], schema: pa.Schema, folder: Path) -> Path:
    """Write each chunk into a file of its own, the folder's files in order; a job takes file by file."""
    folder.mkdir(parents=True)
    for number, chunk in enumerate(chunks):
        pq.write_table(chunk.cast(schema), folder / f"chunk-{number:06d}.parquet", compression="zstd")
    return folder


def view(warehouse: Warehouse, table: TableRef, folder: Path) -> View:
    """A table as jobs read it: the warehouse's own files, or a copy in `folder` where it has none."""
    if isinstance(warehouse, FileParts):
        return View.of(table.name, warehouse.files(table), table.schema)
    select = Select(f'SELECT * FROM "{table.name}"', [table])  # noqa: S608 -- our own names
    chunks = warehouse.batches(select, chunk_rows=_CHUNK_ROWS) if table.parts else ()
    copied = stage(chunks, table.schema, folder / table.name)
    return View.of(table.name, sorted(copied.iterdir()), table.schema)


def shape(select: Select) -> pa.Schema:
    """The columns of a query's result, as DuckDB types and stores them."""
    nothing = [TableRef(table.name, (), table.schema) for table in select.tables]
    with tempfile.TemporaryDirectory() as folder:
        empty = DuckDBWarehouse(Path(folder)).create("shape", Select(select.sql, nothing, select.parameters))
    return empty.ref.schema
