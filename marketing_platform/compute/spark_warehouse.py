"""A warehouse whose tables are computed on Spark, and kept where they always were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from marketing_platform.compute.jobs import Run, Statements, results
from marketing_platform.compute.staging import shape, view
from marketing_platform.stores.named_folders import NamedFolders
from marketing_platform.stores.protocols import PartWriter, Select, StoredTable, TableRef, Warehouse
from marketing_platform.stores.spark_sql import to_spark

_ONE = "table"


class Queries:
    """Queries for one job, whose results come to lie in a folder."""

    def __init__(self, warehouse: Warehouse, selects: Mapping[str, Select], folder: Path) -> None:
        refs = {table.name: table for select in selects.values() for table in select.tables}
        if any(refs[table.name] != table for select in selects.values() for table in select.tables):
            raise ValueError("queries of one job mean the same tables by the same names")
        self._output = folder / "rows"
        self._schemas = {name: shape(select) for name, select in selects.items()}
        self.job = Statements(
            views=tuple(view(warehouse, table, folder / "copied") for table in refs.values()),
            queries={name: to_spark(select.sql, select.parameters) for name, select in selects.items()},
            output=self._output,
        )

    def schema(self, name: str) -> pa.Schema:
        """The columns of a result, as DuckDB has them."""
        return self._schemas[name]

    def chunks(self, name: str) -> Iterator[pa.Table]:
        """The rows of a result, once the job has ended, in the types that DuckDB would give them."""
        schema = self._schemas[name]
        for rows in results(self._output / name):
            yield rows.select(schema.names).cast(schema)

    def table(self, name: str) -> pa.Table:
        """The same at once."""
        return pa.concat_tables([self._schemas[name].empty_table(), *self.chunks(name)])


class SparkWarehouse:
    """Implements `Warehouse`: `create` is a job, everything else is `inner`'s."""

    def __init__(self, inner: Warehouse, run: Run, folders: NamedFolders) -> None:
        self.inner = inner
        self._run = run
        self._folders = folders

    def create(self, part: str, select: Select) -> StoredTable:
        """Let Spark compute a query; the rows get their name as any others do."""
        with self._folders.private() as folder:
            asked = Queries(self.inner, {_ONE: select}, folder)
            figures = self._run(asked.job)
            with self.inner.writer(part, asked.schema(_ONE)) as writer:
                for rows in asked.chunks(_ONE):
                    writer.add(rows)
        return replace(writer.stored, cost=figures)

    def answers(self, selects: Sequence[Select]) -> list[pa.Table]:
        """The rows of several queries, from one job."""
        named = {f"query{number}": select for number, select in enumerate(selects)}
        with self._folders.private() as folder:
            asked = Queries(self.inner, named, folder)
            self._run(asked.job)
            return [asked.table(name) for name in named]

    def writer(self, part: str, schema: pa.Schema) -> AbstractContextManager[PartWriter]:
        return self.inner.writer(part, schema)

    def combine(self, part: str, parts: Sequence[str], schema: pa.Schema) -> StoredTable:
        return self.inner.combine(part, parts, schema)

    def open(self, part: str) -> StoredTable:
        return self.inner.open(part)

    def query(self, select: Select) -> pa.Table:
        return self.inner.query(select)

    def batches(self, select: Select, *, chunk_rows: int) -> Iterator[pa.Table]:
        return self.inner.batches(select, chunk_rows=chunk_rows)

    def names(self) -> list[str]:
        return self.inner.names()

    def drop(self, part: str) -> None:
        self.inner.drop(part)


def asking(
    warehouse: Warehouse, tables: Sequence[TableRef], large: Sequence[str]
) -> Callable[[str], pa.Table]:
    """A way to ask these tables; on Spark one job answers all of `large`, the rest is the warehouse's."""
    known: dict[str, pa.Table] = {}
    if isinstance(warehouse, SparkWarehouse):
        found = warehouse.answers([Select(sql, tables) for sql in large])
        known = dict(zip(large, found, strict=True))
    return lambda sql: known[sql] if sql in known else warehouse.query(Select(sql, tables))


def without_jobs(warehouse: Warehouse) -> Warehouse:
    """The same warehouse, for work outside of assets: its own engine computes what is created."""
    return warehouse.inner if isinstance(warehouse, SparkWarehouse) else warehouse
