# ruff: noqa: S608 -- statements are put together of our own names, quoted; values are bound
"""The warehouse on BigQuery: load jobs bring rows in, query jobs compute, views make parts visible.

Rows of a batch go to the staging bucket as Parquet, from there by a load job into a staging table, are
counted and judged there, and are merged into the one table of their logical name, which is partitioned
by month of the event time and clustered by part. The merge is keyed by part, content and row: done
twice it changes nothing. What is computed, and whatever is not a canonical table, lies in a table of
its own. Either way the part appears with its view, as the last step (docs/decisions/0013-bigquery-parts.md).

How a query is translated is said in `bigquery_sql.py`, how rows travel in `bigquery_rows.py`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pyarrow as pa
from google.cloud.bigquery import SchemaField

from marketing_platform.catalog import tables
from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.bigquery_jobs import BigQueryJobs, Bill
from marketing_platform.stores.bigquery_parts import STORED_PART, Part, Parts
from marketing_platform.stores.bigquery_rows import (
    column,
    null,
    result_schema,
    stored_as,
    to_result,
)
from marketing_platform.stores.bigquery_settings import BigQuerySettings
from marketing_platform.stores.bigquery_sql import to_bigquery
from marketing_platform.stores.bigquery_staging import STORED_ROW, StagedWriter, Staging
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.protocols import PartWriter, Select, StoredTable, TableRef

_OWN = (SchemaField(STORED_PART, "STRING"), SchemaField(STORED_ROW, "INT64"))
# What rows are looked up by; BigQuery clusters by four columns at most.
_LOOKED_UP_BY = ("user_id", "campaign_id", "product_id")
# Figures by day have one of these; a question about a month then reads that month, not the years.
_DAYS = ("day", "date")


class BigQueryWarehouse:
    """Implements `Warehouse` in one dataset."""

    def __init__(self, settings: BigQuerySettings, gcs: GcsSettings) -> None:
        self._jobs = BigQueryJobs(settings)
        self._parts = Parts(self._jobs)
        self._staging = Staging(settings, gcs)

    @contextmanager
    def writer(self, part: str, schema: pa.Schema) -> Generator[PartWriter]:
        """Write chunks to a file, bring it through the staging bucket, then make it visible at once."""
        schema = schema.remove_metadata()
        shared = _logical(part) in tables()
        columns = [*_columns(schema), *(_OWN[1:] if shared else ())]
        with TemporaryDirectory(prefix="marketing-part-") as folder:
            path = Path(folder) / "part.parquet"
            with closing(StagedWriter(path, schema, numbered=shared)) as writer:
                yield writer
            with self._staging.uploaded(path) as uri, self._jobs.reaching():
                table = self._loaded(part, uri, columns, writer.rows)
                store = self._merge if shared else self._store
                writer.finished = store(part, schema, table, Bill())

    def create(self, part: str, select: Select) -> StoredTable:
        """Let BigQuery store the result of a query."""
        schema = result_schema(select)
        table, bill = _own_table(part), Bill()
        with self._jobs.reaching():
            self._parts.make(
                table, _columns(schema), clustered_by=_clustered(schema), partitioned_by=_day_of(schema)
            )
            names = ", ".join(f"`{name}`" for name in schema.names)
            values = ", ".join(stored_as(field, f"`{field.name}`") for field in schema)
            sql, bound = self._bound(select)
            statement = f"INSERT INTO {self._parts.qualified(table)} ({names}) SELECT {values} FROM ({sql})"
            self._jobs.run(statement, bound, bill=bill)
            return self._store(part, schema, table, bill)

    def combine(self, part: str, parts: Sequence[str], schema: pa.Schema) -> StoredTable:
        """List stored parts as one; fingerprints add up because they ignore order."""
        with self._jobs.reaching():
            pieces = self._parts.find_all(parts)
            leaves = tuple(leaf for piece in pieces for leaf in self._parts.leaves(piece))
            table = f"leaves_of_{_logical(part)}_{uuid.uuid4().hex}"
            self._parts.write_leaves(table, leaves)
            described = Part(
                name=part,
                schema=schema.remove_metadata(),
                rows=sum(piece.rows for piece in pieces),
                fingerprint=_hex(sum(int(piece.fingerprint, 16) for piece in pieces)),
                table=table,
                union=True,
            )
            self._replace(described)
            return _stored(described, leaves)

    def open(self, part: str) -> StoredTable:
        """Read the description of a part's view."""
        with self._jobs.reaching():
            found = self._parts.find(part)
            return _stored(found, self._parts.leaves(found))

    def query(self, select: Select) -> pa.Table:
        """Run a query and return its rows."""
        return pa.concat_tables(self._results(select))

    def batches(self, select: Select, *, chunk_rows: int) -> Iterator[pa.Table]:
        """Run a query and stream its rows, a page of the answer at a time."""
        return (page for page in self._results(select, page_rows=chunk_rows) if page.num_rows)

    def names(self) -> list[str]:
        """Every complete part."""
        with self._jobs.reaching():
            return self._parts.names()

    def drop(self, part: str) -> None:
        """Remove a part's view, then its rows."""
        with self._jobs.reaching():
            before = self._parts.forget(part)
            if before is not None:
                self._discard(before)

    def close(self) -> None:
        """Close the connections of this process."""
        self._jobs.close()

    def _results(self, select: Select, *, page_rows: int | None = None) -> Iterator[pa.Table]:
        schema = result_schema(select)
        with self._jobs.reaching():
            sql, values = self._bound(select)
            for page in self._jobs.rows(sql, values, page_rows=page_rows):
                yield to_result(page, schema)

    def _loaded(self, part: str, uri: str, columns: list[SchemaField], rows: int) -> str:
        """A new table with the rows of an object; it is checked that all came."""
        table = _own_table(part)
        clustered = _clustered_fields(columns)
        self._parts.make(table, columns, clustered_by=clustered)
        loaded = self._jobs.load(uri, self._parts.address(table), columns, clustered) if rows else 0
        if loaded != rows:
            raise StoreUnavailable(
                f"{self._jobs.settings.where} loaded {loaded} rows of the {rows} in {uri} for {part!r};"
                " nothing became visible, run again"
            )
        return table

    def _store(self, part: str, schema: pa.Schema, table: str, bill: Bill) -> StoredTable:
        """Make a table of its own the part."""
        rows, fingerprint = self._fingerprint(table, schema, bill)
        described = Part(part, schema, rows, fingerprint, table)
        self._replace(described)
        return _stored(described, (part,), bill)

    def _merge(self, part: str, schema: pa.Schema, staging: str, bill: Bill) -> StoredTable:
        """Move staged rows into the table that all parts of this logical name share."""
        rows, fingerprint = self._fingerprint(staging, schema, bill)
        shared = self._shared_table(part, schema)
        key = f"{part}@{fingerprint}"
        if rows:
            self._jobs.run(self._merge_sql(schema, staging, shared), {"key": key}, bill=bill)
        described = Part(part, schema, rows, fingerprint, shared, key)
        self._replace(described)
        self._parts.delete(staging)
        return _stored(described, (part,), bill)

    def _merge_sql(self, schema: pa.Schema, staging: str, shared: str) -> str:
        """Rows of a killed attempt with the same content are met again, and not doubled.

        They are what they were, so nothing is updated: a MERGE that might would be billed for the whole
        table, this one for two columns of it.
        """
        names = ", ".join(f"`{name}`" for name in schema.names)
        values = ", ".join(f"S.`{name}`" for name in schema.names)
        # Columns are named: the emulator does not know INSERT ROW.
        return (
            f"MERGE {self._parts.qualified(shared)} AS T USING {self._parts.qualified(staging)} AS S"
            f" ON T.{STORED_PART} = @key AND T.{STORED_ROW} = S.{STORED_ROW}"
            f" WHEN NOT MATCHED THEN INSERT ({STORED_PART}, {STORED_ROW}, {names})"
            f" VALUES (@key, S.{STORED_ROW}, {values})"
        )

    def _shared_table(self, part: str, schema: pa.Schema) -> str:
        """The table of this logical name and these columns, made if it is not there."""
        name = _logical(part)
        columns = [*_OWN, *_columns(schema)]
        shape = hashlib.sha256(repr([field.to_api_repr() for field in columns]).encode()).hexdigest()[:10]
        time = tables()[name].time
        self._parts.make(
            f"rows_of_{name}_{shape}",
            columns,
            clustered_by=[STORED_PART, *_clustered(schema)],
            partitioned_by=time if time in schema.names else None,
            lasting=True,
        )
        return f"rows_of_{name}_{shape}"

    def _replace(self, part: Part) -> None:
        before = self._parts.publish(part)
        if before is not None and (before.table, before.key) != (part.table, part.key):
            self._discard(before, keep=part.key)

    def _discard(self, part: Part, *, keep: str | None = None) -> None:
        """Delete the rows of a part that is not visible any more, and what killed attempts left of it."""
        if part.key is None:
            self._parts.delete(part.table)
            return
        self._jobs.run(
            f"DELETE FROM {self._parts.qualified(part.table)}"
            f" WHERE STARTS_WITH({STORED_PART}, @every) AND {STORED_PART} <> @keep",
            {"every": f"{part.name}@", "keep": keep or ""},
        )

    def _fingerprint(self, table: str, schema: pa.Schema, bill: Bill) -> tuple[int, str]:
        """Rows and the sum of a 64-bit hash per row, so that neither order nor splitting matters.

        An INT64 would overflow, so that both halves of the hash are added up apart.
        """
        columns = ", ".join(f"`{name}`" for name in schema.names)
        asked = (
            "SELECT COUNT(*) AS n, SUM(h & 4294967295) AS low, SUM(h >> 32) AS high FROM"
            " (SELECT FARM_FINGERPRINT(TO_JSON_STRING(t)) AS h"
            f" FROM (SELECT {columns} FROM {self._parts.qualified(table)}) AS t)"
        )
        (found,) = pa.concat_tables(self._jobs.rows(asked, {}, bill=bill)).to_pylist()
        return int(found["n"]), _hex((int(found["high"] or 0) << 32) + int(found["low"] or 0))

    def _bound(self, select: Select) -> tuple[str, dict[str, Any]]:
        """The query for BigQuery, its tables bound to their parts, and the values it names."""
        maps = {
            field.name for table in select.tables for field in table.schema if pa.types.is_map(field.type)
        }
        translated = to_bigquery(select.sql, frozenset(maps))
        values = {name: select.parameters[name] for name in translated.parameters}
        named = [f"`{table.name}` AS ({self._union(table, values)})" for table in select.tables]
        return translated.bound_to(named), values

    def _union(self, table: TableRef, values: dict[str, Any]) -> str:
        """The rows of a table's parts; the keys of those that share a table are added to `values`."""
        found: dict[str, list[Part]] = {}
        for part in self._parts.find_all(table.parts):
            found.setdefault(part.table, []).append(part)
        if not found:
            nothing = ", ".join(f"{null(field)} AS `{field.name}`" for field in table.schema)
            return f"SELECT {nothing} FROM UNNEST([1]) WHERE FALSE"
        # Parts of older versions may lack a column that was added since; it is null there.
        fields = {field.name: field for parts in found.values() for field in parts[0].schema}
        selects: list[str] = []
        for name, parts in found.items():
            held = parts[0].schema.names
            columns = ", ".join(
                f"`{field.name}`" if field.name in held else f"{null(field)} AS `{field.name}`"
                for field in fields.values()
            )
            keys = [part.key for part in parts if part.key is not None]
            own = ""
            if keys:
                own = f" WHERE {STORED_PART} IN UNNEST(@keys_{len(values)})"
                values[f"keys_{len(values)}"] = keys
            selects.append(f"SELECT {columns} FROM {self._parts.qualified(name)}{own}")
        return " UNION ALL ".join(selects)


def _columns(schema: pa.Schema) -> list[SchemaField]:
    return [column(field) for field in schema]


def _clustered(schema: pa.Schema) -> list[str]:
    return _clustered_fields(_columns(schema))


def _clustered_fields(columns: Sequence[SchemaField]) -> list[str]:
    return [field.name for field in columns if field.name in _LOOKED_UP_BY and field.field_type == "STRING"]


def _day_of(schema: pa.Schema) -> str | None:
    return next((n for n in _DAYS if n in schema.names and schema.field(n).type == pa.date32()), None)


def _own_table(part: str) -> str:
    return f"rows_of_{part}_{uuid.uuid4().hex}"


def _stored(part: Part, leaves: tuple[str, ...], bill: Bill | None = None) -> StoredTable:
    ref = TableRef(_logical(part.name), leaves, cast(pa.Schema, part.schema))
    return StoredTable(ref, part.rows, part.fingerprint, bill.cost if bill else {})


def _logical(part: str) -> str:
    return part.rpartition("__")[0] or part


def _hex(total: int) -> str:
    return f"{total % (1 << 64):016x}"
