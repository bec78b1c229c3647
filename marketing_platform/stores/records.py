"""What the platform's own records (ledger, shelf of releases, notices) ask of a database.

The records' SQL is written once, for SQLite and PostgreSQL, in `releases/`: parameters are `$1`, `$2`,
…, a change says by RETURNING whether it found its row, and a counter's type is written `{counter}`.
Tables of data are not here: they belong to the warehouse.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, LiteralString, Protocol

Tables = Mapping[str, LiteralString]  # name -> CREATE TABLE IF NOT EXISTS … (and what belongs to it)
COUNTER = "{counter}"  # in such a statement: a primary key that counts up by itself


class Execute(Protocol):
    """Runs one statement in the transaction it was given for."""

    def __call__(self, sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """The rows that the statement returns."""
        ...


class RecordsDatabase(Protocol):
    """Transactions over some tables, which are made on first use."""

    def reading(self) -> AbstractContextManager[Execute]:
        """A transaction that sees one state."""
        ...

    def writing(self) -> AbstractContextManager[Execute]:
        """A transaction that no other one writes beside; committed when the block ends well."""
        ...


def as_text(moment: datetime) -> str:
    """A moment as it is kept: UTC, all of one length, so that texts compare as moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def installation_key(database: RecordsDatabase, table: LiteralString) -> bytes:
    """32 random bytes that are made on first use and kept as the one row of a table (`number`, `key`)."""
    wanted: LiteralString = f"SELECT key FROM {table} WHERE number = 1"  # noqa: S608 -- our own name
    with database.reading() as execute:
        found = execute(wanted)
    if not found:
        with database.writing() as execute:
            execute(
                f"INSERT INTO {table} (number, key) VALUES (1, $1) ON CONFLICT DO NOTHING",  # noqa: S608
                secrets.token_hex(32),
            )
            found = execute(wanted)
    return bytes.fromhex(found[0][0])
