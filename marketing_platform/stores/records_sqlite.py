"""The records' database in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import stamina

from marketing_platform.stores.records import COUNTER, Execute, Tables

_COUNTER = "INTEGER PRIMARY KEY AUTOINCREMENT"
_WAIT_SECONDS = 60  # for the transaction of another process


class SqliteRecords:
    """Implements `RecordsDatabase`; a connection per transaction, for threads and processes."""

    def __init__(self, path: Path, tables: Tables) -> None:
        self._path = path
        self._script = "".join(f"{sql.replace(COUNTER, _COUNTER)};" for sql in tables.values())

    @contextmanager
    def reading(self) -> Generator[Execute]:
        """A transaction that sees one state."""
        with self._transaction("BEGIN") as execute:
            yield execute

    @contextmanager
    def writing(self) -> Generator[Execute]:
        """A transaction that excludes other writers from its beginning on."""
        with self._transaction("BEGIN IMMEDIATE") as execute:
            yield execute

    @contextmanager
    def _transaction(self, begin: str) -> Generator[Execute]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
            _use_wal(connection)
            connection.executescript(self._script)
            connection.execute(begin)
            with connection:  # commits, or rolls back

                def execute(sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
                    # SQLite takes $1 for the name of a parameter.
                    named = {str(number): value for number, value in enumerate(values, start=1)}
                    return connection.execute(sql, named).fetchall()

                yield execute


def _is_busy(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


# Of several who open a new file at once, one turns it into WAL; SQLite lets the others fail, not wait.
@stamina.retry(on=_is_busy, attempts=None, timeout=_WAIT_SECONDS, wait_initial=0.01, wait_max=0.5)
def _use_wal(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
