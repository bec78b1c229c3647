# ruff: noqa: S608 -- statements are put together of our own names, quoted; values are bound
"""Which parts the warehouse on PostgreSQL holds, and in which physical tables their rows lie.

Tables that have the same logical name and the same columns share one physical table; a part is a
number in it. The catalogue `parts` has one line per part: its number and table, or the parts it is the
union of. What moves rows in and out is in `warehouse_postgres.py`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from marketing_platform.errors import UnknownName
from marketing_platform.stores.arrow_bytes import schema_bytes, schema_from
from marketing_platform.stores.postgres_rows import sql_type
from marketing_platform.stores.postgres_sessions import Connection
from marketing_platform.stores.protocols import StoredTable, TableRef

PART = "__part"
# Rows beyond which a table's statistics are renewed at once, as a share of what it held.
_WORTH_ANALYZING = 0.1


@dataclass(frozen=True)
class Piece:
    """The rows of some parts that lie in one physical table."""

    table: str
    schema: pa.Schema
    numbers: tuple[int, ...]


class Parts:
    """The catalogue of one PostgreSQL schema; every method works inside the caller's transaction."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def names(self, connection: Connection) -> list[str]:
        """Every part."""
        if not self._exists(connection, "parts"):
            return []
        rows = connection.execute(statement(f"SELECT name FROM {self._catalogue} ORDER BY name")).fetchall()
        return [str(name) for (name,) in rows]

    @property
    def _catalogue(self) -> str:
        return self.qualified("parts")

    def qualified(self, table: str) -> str:
        """A table of this schema as SQL."""
        return f"{quoted(self._namespace)}.{quoted(table)}"

    def _exists(self, connection: Connection, table: str) -> bool:
        found = connection.execute("SELECT to_regclass($1)", [self.qualified(table)]).fetchone()
        return found is not None and found[0] is not None

    def prepare(self, connection: Connection) -> None:
        """Make the catalogue where there is none; two processes at once would trip over each other."""
        if self._exists(connection, "parts"):
            return
        self._exclude_others(connection)
        # Asked of the table itself: what the server remembers of a name may be older than the lock.
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", [self._namespace])
        if found.fetchone() is None:
            connection.execute(statement(f"CREATE SCHEMA {quoted(self._namespace)}"))
        connection.execute(
            statement(f"""CREATE TABLE IF NOT EXISTS {self._catalogue} (
                name text COLLATE "C" PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY,
                physical text, leaves text[] NOT NULL, rows bigint NOT NULL, fingerprint text NOT NULL,
                schema bytea NOT NULL, stored_at timestamptz NOT NULL DEFAULT now())""")
        )

    def _exclude_others(self, connection: Connection, part: str = "") -> None:
        """Until the transaction ends, nobody else makes tables here, or writes that part."""
        name = f"{self._namespace}.{part}"
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [name])

    def table_for(self, connection: Connection, part: str, schema: pa.Schema) -> str:
        """The physical table of this logical name and these columns, made if it is not there."""
        columns = ", ".join(f"{quoted(field.name)} {sql_type(field.type)}" for field in schema)
        table = f"{logical(part)[:50]}_{hashlib.sha256(columns.encode()).hexdigest()[:10]}"
        if not self._exists(connection, table):
            self._exclude_others(connection)
            qualified = self.qualified(table)
            connection.execute(
                statement(f"CREATE TABLE IF NOT EXISTS {qualified} ({PART} bigint NOT NULL, {columns})")
            )
            connection.execute(
                statement(f"CREATE INDEX IF NOT EXISTS {quoted(f'{table}_part')} ON {qualified} ({PART})")
            )
        return table

    def describe(self, connection: Connection, part: str, stored: StoredTable, table: str | None) -> int:
        """Write the part's line, in place of what was there, and return its number."""
        self._exclude_others(connection, part)
        self.forget(connection, part)
        found = connection.execute(
            statement(f"""INSERT INTO {self._catalogue} (name, physical, leaves, rows, fingerprint, schema)
                VALUES ($1, $2, $3, $4, $5, $6) RETURNING number"""),
            [
                part,
                table,
                list(stored.ref.parts),
                stored.rows,
                stored.fingerprint,
                schema_bytes(stored.ref.schema),
            ],
        ).fetchone()
        return int(str(found[0])) if found else 0

    def forget(self, connection: Connection, part: str) -> None:
        """Remove a part's line and its rows, if it is there."""
        if not self._exists(connection, "parts"):
            return
        found = connection.execute(
            statement(f"DELETE FROM {self._catalogue} WHERE name = $1 RETURNING physical, number"), [part]
        ).fetchone()
        if found and found[0]:
            connection.execute(
                statement(f"DELETE FROM {self.qualified(str(found[0]))} WHERE {PART} = $1"), [found[1]]
            )

    def renew_statistics(self, connection: Connection, table: str, rows: int) -> None:
        """Plans need to know about a large part now; the server's own upkeep comes a minute later."""
        known = connection.execute(
            "SELECT reltuples FROM pg_class WHERE oid = to_regclass($1)", [self.qualified(table)]
        ).fetchone()
        held = float(str(known[0])) if known else 0.0
        if rows > _WORTH_ANALYZING * max(held, 0.0):
            connection.execute(statement(f"ANALYZE {self.qualified(table)}"))

    def open(self, connection: Connection, part: str) -> StoredTable:
        """What was stored under `part`; UnknownName when nothing was."""
        found: Any = None
        if self._exists(connection, "parts"):
            found = connection.execute(
                statement(f"SELECT leaves, rows, fingerprint, schema FROM {self._catalogue} WHERE name = $1"),
                [part],
            ).fetchone()
        if found is None:
            raise UnknownName(f"the warehouse has no part {part!r}")
        leaves, rows, fingerprint, schema = found
        return StoredTable(TableRef(logical(part), tuple(leaves), schema_from(schema)), rows, fingerprint)

    def pieces(self, connection: Connection, table: TableRef) -> list[Piece]:
        """Where the rows of a table's parts lie; UnknownName when one is not stored."""
        if not table.parts:
            return []
        rows: list[Any] = []
        if self._exists(connection, "parts"):
            rows = connection.execute(
                statement(f"""SELECT physical, min(schema::text), array_agg(number ORDER BY number),
                    array_agg(name) FROM {self._catalogue} WHERE name = ANY($1) AND physical IS NOT NULL
                    GROUP BY physical ORDER BY min(number)"""),
                [list(table.parts)],
            ).fetchall()
        missing = set(table.parts) - {name for row in rows for name in row[3]}
        if missing:
            raise UnknownName(f"the warehouse has no part {min(missing)!r} of {table.name!r}")
        return [Piece(row[0], schema_from(bytes.fromhex(row[1][2:])), tuple(row[2])) for row in rows]


def logical(part: str) -> str:
    """The logical name in a part's name."""
    return part.rpartition("__")[0] or part


def quoted(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def statement(text: str) -> bytes:
    """SQL put together of our own names and translated queries; its values are bound."""
    return text.encode()
