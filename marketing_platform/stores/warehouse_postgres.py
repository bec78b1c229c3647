# ruff: noqa: S608 -- statements are put together of our own names, quoted; values are bound
"""The warehouse on PostgreSQL: rows carry the number of their part.

Tables that have the same logical name and the same columns share one physical table; a part is
a number in it, and a line in the catalogue `parts` says which. So a union of parts is a line that
lists them and copies nothing, thousands of batches are one scan, and a part with new columns
lies in a table of its own, where the old ones lack these columns (they are NULL there). Rows are
copied into a staging table, judged there, and moved over together with their line in one
transaction: readers see all of a part or nothing. Writing a part again takes a new number.

How a query is translated is said in `postgres_sql.py`, how rows travel in `postgres_rows.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
import pyarrow as pa
import stamina
from psycopg import RawServerCursor

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.postgres_parts import PART, Parts, Piece, logical, quoted, statement
from marketing_platform.stores.postgres_rows import ResultShape, is_vector, sql_type, to_csv
from marketing_platform.stores.postgres_sessions import Connection, PostgresSessions, Transaction
from marketing_platform.stores.postgres_settings import PostgresSettings
from marketing_platform.stores.postgres_sql import to_postgres
from marketing_platform.stores.protocols import PartWriter, Select, StoredTable, TableRef

_STAGING = "staging"
_T = TypeVar("_T")


class _StagingWriter:
    def __init__(self, transaction: Transaction, schema: pa.Schema) -> None:
        self._transaction = transaction
        self._schema = schema
        self.finished: StoredTable | None = None

    def add(self, rows: pa.Table) -> None:
        if rows.num_rows:
            content = to_csv(rows.cast(self._schema))
            copying = f"COPY {_STAGING} FROM STDIN (FORMAT csv)"
            with self._transaction.deadline() as connection, connection.cursor().copy(copying) as copy:
                copy.write(content)

    @property
    def stored(self) -> StoredTable:
        if self.finished is None:
            raise RuntimeError("the part is stored when the writer's block has ended")
        return self.finished


class PostgresWarehouse:
    """Implements `Warehouse` in one PostgreSQL schema."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._parts = Parts(settings.namespace)
        self._sessions = PostgresSessions(settings)

    @contextmanager
    def writer(self, part: str, schema: pa.Schema) -> Generator[PartWriter]:
        """Stream chunks into a staging table, then move them over at once."""
        schema = schema.remove_metadata()
        with self._sessions.writing() as transaction:
            columns = ", ".join(f"{quoted(field.name)} {sql_type(field.type)}" for field in schema)
            with transaction.deadline() as connection:
                connection.execute(statement(f"CREATE TEMP TABLE {_STAGING} ({columns}) ON COMMIT DROP"))
            writer = _StagingWriter(transaction, schema)
            yield writer
            with transaction.deadline() as connection:
                writer.finished = self._store(connection, part, schema)

    def create(self, part: str, select: Select) -> StoredTable:
        """Let PostgreSQL store the result of a query."""

        def attempt() -> StoredTable:
            with self._sessions.writing() as transaction, transaction.deadline() as connection:
                sql, values = self._bound(connection, select)
                connection.execute(statement(f"CREATE TEMP TABLE {_STAGING} ON COMMIT DROP AS {sql}"), values)
                return self._store(connection, part, _settle_types(connection, _vectors(select)))

        return _patiently(attempt)

    def combine(self, part: str, parts: Sequence[str], schema: pa.Schema) -> StoredTable:
        """List stored parts as one; fingerprints add up because they ignore order."""

        def attempt() -> StoredTable:
            with self._sessions.writing() as transaction, transaction.deadline() as connection:
                self._parts.prepare(connection)
                pieces = [self._parts.open(connection, piece) for piece in parts]
                leaves = tuple(leaf for piece in pieces for leaf in piece.ref.parts)
                stored = StoredTable(
                    ref=TableRef(logical(part), leaves, schema),
                    rows=sum(piece.rows for piece in pieces),
                    fingerprint=_hex(sum(int(piece.fingerprint, 16) for piece in pieces)),
                )
                self._parts.describe(connection, part, stored, None)
                return stored

        return _patiently(attempt)

    def open(self, part: str) -> StoredTable:
        """Read a part's line in the catalogue."""

        def attempt() -> StoredTable:
            with self._sessions.reading() as transaction, transaction.deadline() as connection:
                return self._parts.open(connection, part)

        return _patiently(attempt)

    def query(self, select: Select) -> pa.Table:
        """Run a query and return its rows."""

        def attempt() -> pa.Table:
            with self._sessions.reading() as transaction, transaction.deadline() as connection:
                sql, values = self._bound(connection, select)
                with connection.cursor(binary=True) as cursor:
                    cursor.execute(statement(sql), values)
                    return ResultShape(cursor.description or (), _vectors(select)).table(cursor.fetchall())

        return _patiently(attempt)

    def batches(self, select: Select, *, chunk_rows: int) -> Iterator[pa.Table]:
        """Run a query and stream its rows; the deadline is for each chunk."""
        with self._sessions.reading() as transaction:
            with transaction.deadline() as connection:
                sql, values = self._bound(connection, select)
                cursor = RawServerCursor(connection, "rows")
                cursor.execute(statement(sql), values, binary=True)
                shape = ResultShape(cursor.description or (), _vectors(select))
            while True:
                with transaction.deadline():
                    rows = cursor.fetchmany(chunk_rows)
                if not rows:
                    break
                yield shape.table(rows)
            with transaction.deadline():
                cursor.close()

    def names(self) -> list[str]:
        """Every complete part."""
        with self._sessions.reading() as transaction, transaction.deadline() as connection:
            return self._parts.names(connection)

    def drop(self, part: str) -> None:
        """Remove a part's line and its rows."""
        with self._sessions.writing() as transaction, transaction.deadline() as connection:
            self._parts.forget(connection, part)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._sessions.close()

    def _store(self, connection: Connection, part: str, schema: pa.Schema) -> StoredTable:
        """Move what was staged to its table and describe it."""
        self._parts.prepare(connection)
        table = self._parts.table_for(connection, part, schema)
        rows, fingerprint = _fingerprint(connection)
        stored = StoredTable(TableRef(logical(part), (part,), schema), rows, fingerprint)
        number = self._parts.describe(connection, part, stored, table)
        columns = ", ".join(quoted(name) for name in schema.names)
        connection.execute(
            statement(
                f"INSERT INTO {self._parts.qualified(table)} ({PART}, {columns})"
                f" SELECT {number}, {columns} FROM {_STAGING}"
            )
        )
        self._parts.renew_statistics(connection, table, rows)
        return stored

    def _bound(self, connection: Connection, select: Select) -> tuple[str, list[Any]]:
        """The query for PostgreSQL, its tables bound to their parts, and the values of `$1`, `$2`, …"""
        maps = {
            field.name for table in select.tables for field in table.schema if pa.types.is_map(field.type)
        }
        translated = to_postgres(select.sql, frozenset(maps))
        sql = translated.bound_to(
            f"{quoted(table.name)} AS NOT MATERIALIZED ({self._union(connection, table)})"
            for table in select.tables
        )
        return sql, [select.parameters[name] for name in translated.parameters]

    def _union(self, connection: Connection, table: TableRef) -> str:
        pieces = self._parts.pieces(connection, table)
        if not pieces:
            nothing = ", ".join(f"{_null(field)} AS {quoted(field.name)}" for field in table.schema)
            return f"SELECT {nothing} WHERE FALSE"
        # Parts of older versions may lack a column that was added since; it is null there.
        fields = {field.name: field for piece in pieces for field in piece.schema}
        return " UNION ALL ".join(self._select(piece, fields.values()) for piece in pieces)

    def _select(self, piece: Piece, fields: Iterable[pa.Field]) -> str:
        columns = ", ".join(
            quoted(field.name)
            if field.name in piece.schema.names
            else f"{_null(field)} AS {quoted(field.name)}"
            for field in fields
        )
        numbers = ", ".join(map(str, piece.numbers))
        table = self._parts.qualified(piece.table)
        return f"SELECT {columns} FROM {table} WHERE {PART} = ANY(ARRAY[{numbers}]::bigint[])"


def _settle_types(connection: Connection, vectors: dict[str, pa.DataType]) -> pa.Schema:
    """The columns of the staging table, after its decimals got as many digits as their values have."""
    for name, scale in _loose_decimals(connection):
        connection.execute(
            statement(f"ALTER TABLE {_STAGING} ALTER COLUMN {quoted(name)} TYPE numeric(38, {scale})")
        )
    with connection.cursor() as cursor:
        cursor.execute(statement(f"SELECT * FROM {_STAGING} LIMIT 0"))
        return ResultShape(cursor.description or (), vectors).table([]).schema


def _loose_decimals(connection: Connection) -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(statement(f"SELECT * FROM {_STAGING} LIMIT 0"))
        columns = cursor.description or ()
    loose = [
        c.name for c in columns if c.type_code == psycopg.adapters.types["numeric"].oid and c.scale is None
    ]
    if not loose:
        return []
    scales = ", ".join(f"coalesce(max(scale({quoted(name)})), 0)" for name in loose)
    found: Any = connection.execute(statement(f"SELECT {scales} FROM {_STAGING}")).fetchone()
    return list(zip(loose, found, strict=True))


def _fingerprint(connection: Connection) -> tuple[int, str]:
    """Rows and the sum of a 64-bit hash per row, so that neither order nor splitting matters."""
    found: Any = connection.execute(
        statement(f"SELECT count(*), coalesce(sum(hash_record_extended(row, 0)), 0) FROM {_STAGING} AS row")
    ).fetchone()
    return int(found[0]), _hex(int(found[1]))


def _patiently(attempt: Callable[[], _T]) -> _T:
    """Try again when the server went away for a moment; nothing that was tried is half-done."""
    for trying in stamina.retry_context(
        on=_went_away, attempts=3, wait_initial=0.1, wait_max=1.0, timeout=5.0
    ):
        with trying:
            return attempt()
    raise AssertionError("stamina returns or raises")


def _went_away(error: Exception) -> bool:
    """Not after a deadline: who waited once that long does not want to wait again."""
    cause = error.__cause__
    return isinstance(error, StoreUnavailable) and isinstance(
        cause,
        psycopg.errors.AdminShutdown | psycopg.errors.SerializationFailure | psycopg.errors.DeadlockDetected,
    )


def _vectors(select: Select) -> dict[str, pa.DataType]:
    """A vector keeps its column's name in a query: the server says of it no more than that it is bytes."""
    return {
        field.name: field.type for table in select.tables for field in table.schema if is_vector(field.type)
    }


def _null(field: pa.Field) -> str:
    return f"CAST(NULL AS {sql_type(field.type).partition(' COLLATE')[0]})"


def _hex(total: int) -> str:
    return f"{total % (1 << 64):016x}"
