"""What the pipeline would make BigQuery read: every statement of one run, weighed by the columns it names.

BigQuery bills the columns a statement refers to, whole, at logical sizes that its reference lists. A run of
the embedded stores notes each query that it hands to its warehouse; sqlglot says which columns it reads, and
DuckDB how large they are. A dry run asks the real one (`cost/bytes_estimated` in Dagster); the emulator
answers 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from marketing_platform.catalog import tables
from marketing_platform.defs.execution import Pipeline, open_instance
from marketing_platform.defs.progress import Progress
from marketing_platform.sample import write_events
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable, TableRef
from marketing_platform.stores.registry import open_stores
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse

# Bytes of a value; a text has as many as its UTF-8 and two more, what is null has none.
_BOOL, _NUMERIC, _BIGNUMERIC, _OTHERS, _TEXT = 1, 16, 32, 8, 2
_NUMERIC_SCALE = 9
# `<part>@<fingerprint>`: what the rows of a batch are told apart by (stores/warehouse_bigquery.py).
_KEY_BYTES = _TEXT + 1 + 16


@dataclass
class Refresh:
    """What one step asks of the warehouse in one run."""

    step: str
    statements: int = 0
    bytes: float = 0.0


class Noting(DuckDBWarehouse):
    """A warehouse that notes what it is asked, and by which step."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root, self.step = root, "start-up"
        self.asked: list[tuple[str, Select]] = []
        self.made: list[tuple[str, StoredTable]] = []

    def create(self, part: str, select: Select) -> StoredTable:
        """Note the query, and what has to be read once more for its fingerprint."""
        self.asked.append((self.step, select))
        stored = super().create(part, select)
        self.made.append((self.step, stored))
        return stored

    def query(self, select: Select) -> pa.Table:
        """Note the query."""
        self.asked.append((self.step, select))
        return super().query(select)

    def batches(self, select: Select, *, chunk_rows: int) -> Iterator[pa.Table]:
        """Note the query."""
        self.asked.append((self.step, select))
        return super().batches(select, chunk_rows=chunk_rows)


def measured(folder: Path, *, events: int, users: int) -> list[Refresh]:
    """What each step of a full run over sample events reads, most first."""
    settings = Settings(data_dir=folder)  # pyright: ignore[reportCallIssue]
    write_events(settings.landing_dir, events=events, users=users)
    warehouse = Noting(folder / "warehouse")
    stores = replace(open_stores(settings), warehouse=warehouse)

    def hear(progress: Progress) -> None:
        warehouse.step = progress.step or warehouse.step

    with open_instance(settings) as instance:
        pipeline = Pipeline(settings, instance, hear, stores=stores)
        pipeline.take()
        pipeline.ingest([batch.batch_id for batch in pipeline.ledger.pending()])
        pipeline.publish()
    return weighed(warehouse)


def weighed(warehouse: Noting) -> list[Refresh]:
    """The bytes of everything that was noted, by step."""
    sizes = Sizes(DuckDBWarehouse(warehouse.root))
    found: dict[str, Refresh] = {}
    for step, select in warehouse.asked:
        refresh = found.setdefault(step, Refresh(step))
        refresh.statements += 1
        refresh.bytes += read_by(select, sizes)
    for step, stored in warehouse.made:
        refresh = found[step]
        refresh.statements += 1
        refresh.bytes += sum(sizes.of(stored.ref)[name] for name in stored.ref.schema.names)
    return sorted(found.values(), key=lambda one: -one.bytes)


def read_by(select: Select, sizes: Sizes) -> float:
    """Bytes that BigQuery would read for a query."""
    refs = {ref.name: ref for ref in select.tables}
    named = columns_of(select.sql, {name: ref.schema.names for name, ref in refs.items()})
    total = 0.0
    for name, columns in named.items():
        size = sizes.of(refs[name])
        # Rows of batches lie in one table, where their part is asked for as well.
        total += sum(size[column] for column in columns) + (size[_KEY] if name in tables() else 0.0)
    return total


def columns_of(sql: str, known: Mapping[str, list[str]]) -> dict[str, set[str]]:
    """Which columns of which stored tables a query in DuckDB's dialect reads; `known` are all they have."""
    schema: dict[str, object] = {table: dict.fromkeys(columns, "text") for table, columns in known.items()}
    tree = qualify(
        sqlglot.parse_one(sql, read="duckdb"), schema=schema, dialect="duckdb", validate_qualify_columns=False
    )
    found: dict[str, set[str]] = {}
    for scope in traverse_scope(pushdown_projections(tree)):
        for name, source in scope.sources.items():
            if isinstance(source, exp.Table) and source.name in known:
                named = {column.name for column in scope.source_columns(name)}
                found.setdefault(source.name, set()).update(named & set(known[source.name]))
    return found


_KEY = "stored_part"


@dataclass
class Sizes:
    """Bytes of each column of a table, all rows together, as BigQuery counts; `stored_part` comes on top."""

    warehouse: DuckDBWarehouse
    # The same parts may be asked for with fewer columns, so columns belong to the key.
    _known: dict[tuple[tuple[str, ...], ...], Mapping[str, float]] = field(default_factory=dict)

    def of(self, ref: TableRef) -> Mapping[str, float]:
        """The sizes of a table's columns; they are worked out once."""
        asked = (ref.parts, tuple(ref.schema.names))
        if asked not in self._known:
            sums = ", ".join(f'SUM({_size(one)}) AS "{one.name}"' for one in ref.schema)
            sql = f'SELECT COUNT(*) AS "of all rows", {sums} FROM "{ref.name}"'
            row: dict[str, Any] = self.warehouse.query(Select(sql, [ref])).to_pylist()[0]
            rows = row.pop("of all rows")
            part = len(ref.parts[0]) if ref.parts else 0
            sizes = {name: float(size or 0) for name, size in row.items()}
            self._known[asked] = {**sizes, _KEY: float(rows * (part + _KEY_BYTES))}
        return self._known[asked]


def _size(column: pa.Field) -> str:
    """SQL for the bytes of a value."""
    name, type_ = f'"{column.name}"', column.type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return f"strlen({name}) + {_TEXT}"
    if pa.types.is_map(type_):
        return f"strlen(CAST({name} AS VARCHAR))"
    if pa.types.is_nested(type_):
        return f"len({name}) * {_OTHERS}"
    each = _OTHERS
    if pa.types.is_boolean(type_):
        each = _BOOL
    elif pa.types.is_decimal(type_):
        each = _NUMERIC if type_.scale <= _NUMERIC_SCALE else _BIGNUMERIC
    return f"CASE WHEN {name} IS NOT NULL THEN {each} END"
