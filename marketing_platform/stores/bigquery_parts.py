"""Which parts the warehouse on BigQuery holds: one view per part, whose description is its evidence.

Making or changing a view is one call that takes effect as a whole and costs nothing, and so is looking
it up; a person who opens the dataset finds the part under its name. The rows lie in tables beside the
views (docs/decisions/0013-bigquery-parts.md); what moves them is in `warehouse_bigquery.py`.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
from google.api_core.exceptions import Conflict, NotFound
from google.cloud.bigquery import Dataset, SchemaField, Table, TimePartitioning, TimePartitioningType

from marketing_platform.errors import UnknownName
from marketing_platform.stores.arrow_bytes import schema_bytes, schema_from
from marketing_platform.stores.bigquery_jobs import BigQueryJobs

STORED_PART = "stored_part"
# Looking up one view is one free request; for more of them one query, of 10 MB at least, is faster.
_ASKED_ONE_BY_ONE = 8
# What a killed writer left is deleted by BigQuery itself.
_UNFINISHED_LASTS = timedelta(days=1)
_LEAVES = (SchemaField("position", "INT64"), SchemaField("part", "STRING"))


@dataclass(frozen=True)
class Part:
    """A stored part, or the union of stored parts."""

    name: str
    schema: pa.Schema
    rows: int
    fingerprint: str
    table: str  # where its rows lie; for a union, the names of its parts
    key: str | None = None  # which of the table's rows are its own; all of them unless given
    union: bool = False

    @property
    def description(self) -> str:
        """What a person reads, and behind it what `described` reads: without quotes, which some escape."""
        content = orjson.dumps(
            {
                "rows": self.rows,
                "fingerprint": self.fingerprint,
                "schema": base64.b85encode(schema_bytes(self.schema)).decode(),
                "table": self.table,
                "key": self.key,
                "union": self.union,
            }
        )
        packed = base64.urlsafe_b64encode(zlib.compress(content, 9)).decode()
        return f"{self.rows} rows, fingerprint {self.fingerprint}. {packed}"


def described(name: str, description: str) -> Part:
    """The part whose view says so."""
    packed = description.strip('"').rpartition(" ")[2]
    found = orjson.loads(zlib.decompress(base64.urlsafe_b64decode(packed)))
    schema = schema_from(base64.b85decode(found.pop("schema")))
    return Part(name=name, schema=schema, **found)


class Parts:
    """The views and tables of one dataset; callers are inside `BigQueryJobs.reaching`."""

    def __init__(self, jobs: BigQueryJobs) -> None:
        self._jobs = jobs
        self._dataset = f"{jobs.settings.project}.{jobs.settings.dataset}"
        self._prepared = False

    def qualified(self, table: str) -> str:
        """A table as SQL."""
        return f"`{self._dataset}.{table}`"

    def address(self, table: str) -> str:
        """A table as the client names it."""
        return f"{self._dataset}.{table}"

    def names(self) -> list[str]:
        """Every part."""
        try:
            tables = list(self._jobs.client.list_tables(self._dataset, page_size=1000, **self._jobs.patience))
        except NotFound:
            return []
        return sorted(table.table_id for table in tables if table.table_type == "VIEW")

    def find(self, name: str) -> Part:
        """A part; UnknownName when it is not stored."""
        found = self._looked_up(name)
        if found is None:
            raise UnknownName(f"the warehouse has no part {name!r}")
        return found

    def find_all(self, names: Sequence[str]) -> list[Part]:
        """These parts, in this order; UnknownName when one of them is not stored."""
        if len(names) <= _ASKED_ONE_BY_ONE:
            return [self.find(name) for name in names]
        options = f"`{self._dataset}.INFORMATION_SCHEMA.TABLE_OPTIONS`"
        asked = (
            f"SELECT table_name, option_value FROM {options}"  # noqa: S608 -- our own names
            " WHERE option_name = 'description' AND table_name IN UNNEST(@names)"
        )
        known = {
            str(row["table_name"]): str(row["option_value"])
            for page in self._jobs.rows(asked, {"names": list(names)})
            for row in page.to_pylist()
        }
        if missing := set(names) - known.keys():
            raise UnknownName(f"the warehouse has no part {min(missing)!r}")
        return [described(name, known[name]) for name in names]

    def leaves(self, part: Part) -> tuple[str, ...]:
        """The parts that hold the rows: those of a union, or the part itself."""
        if not part.union:
            return (part.name,)
        listed = self._jobs.client.list_rows(self.address(part.table), list(_LEAVES), **self._jobs.patience)
        return tuple(row["part"] for row in sorted(listed, key=lambda row: row["position"]))

    def write_leaves(self, table: str, leaves: Sequence[str]) -> None:
        """Store the parts of a union in a new table."""
        self.make(table, _LEAVES)
        if leaves:
            self._jobs.run(
                f"INSERT INTO {self.qualified(table)} (position, part)"  # noqa: S608 -- our own names
                " SELECT position, part FROM UNNEST(@leaves) AS part WITH OFFSET AS position",
                {"leaves": list(leaves)},
            )

    def make(
        self,
        table: str,
        columns: Iterable[SchemaField],
        *,
        clustered_by: Sequence[str] = (),
        partitioned_by: str | None = None,
        lasting: bool = False,
    ) -> None:
        """Make a table unless it is there; one that is not `lasting` is deleted by itself unless kept."""
        self._prepare()
        wanted = Table(self.address(table), schema=list(columns))
        if clustered_by:
            wanted.clustering_fields = list(clustered_by)
        if partitioned_by:
            wanted.time_partitioning = TimePartitioning(TimePartitioningType.MONTH, field=partitioned_by)
        if not lasting:
            wanted.expires = datetime.now(UTC) + _UNFINISHED_LASTS
        self._jobs.client.create_table(wanted, exists_ok=True, **self._jobs.patience)

    def publish(self, part: Part) -> Part | None:
        """Make a part visible, in place of what its name stood for, which is returned."""
        if part.key is None:
            kept = Table(self.address(part.table))
            kept.expires = None
            self._jobs.client.update_table(kept, ["expires"], **self._jobs.patience)
        view = Table(self.address(part.name))
        view.view_query = self._view(part)
        view.description = part.description
        try:
            self._jobs.client.create_table(view, **self._jobs.patience)
        except Conflict:
            before = self._looked_up(part.name)
            self._jobs.client.update_table(view, ["view_query", "description"], **self._jobs.patience)
            return before
        return None

    def forget(self, name: str) -> Part | None:
        """Make a part invisible; returns what its name stood for."""
        before = self._looked_up(name)
        if before is not None:
            self.delete(name)
        return before

    def delete(self, table: str) -> None:
        """Delete a table or view if it is there."""
        self._jobs.client.delete_table(self.address(table), not_found_ok=True, **self._jobs.patience)

    def _looked_up(self, name: str) -> Part | None:
        try:
            found = self._jobs.client.get_table(self.address(name), **self._jobs.patience)
        except NotFound:
            return None
        return described(name, str(found.description)) if found.table_type == "VIEW" else None

    def _view(self, part: Part) -> str:
        columns = "part" if part.union else ", ".join(f"`{name}`" for name in part.schema.names)
        own = f" WHERE {STORED_PART} = {json.dumps(part.key)}" if part.key is not None else ""
        return f"SELECT {columns} FROM {self.qualified(part.table)}{own}"  # noqa: S608 -- our own names

    def _prepare(self) -> None:
        if self._prepared:
            return
        dataset = Dataset(self._dataset)
        dataset.location = self._jobs.settings.location
        self._jobs.client.create_dataset(dataset, exists_ok=True, **self._jobs.patience)
        self._prepared = True
