"""Raw and quarantined records as JSON documents in one SQLite file.

Each batch is written in one transaction: a process that dies while writing leaves the batch as
it was. Batch ids are long, so rows carry a small number for them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from marketing_platform.stores.protocols import QUARANTINE_SCHEMA, RAW_SCHEMA

_TABLES = """
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY, batch_id TEXT UNIQUE NOT NULL, ingested_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS raw (
    batch INTEGER NOT NULL, ordinal INTEGER NOT NULL, document TEXT NOT NULL, defect TEXT,
    PRIMARY KEY (batch, ordinal)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantined (
    batch INTEGER NOT NULL, ordinal INTEGER NOT NULL, document TEXT NOT NULL, reasons TEXT NOT NULL,
    PRIMARY KEY (batch, ordinal)) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS raw_records AS
    SELECT batch_id, ordinal, ingested_at, document, defect FROM raw JOIN batches ON batch = number;
CREATE VIEW IF NOT EXISTS quarantined_records AS
    SELECT batch_id, ordinal, ingested_at, document, reasons FROM quarantined JOIN batches ON batch = number;
"""


class SqliteDocuments:
    """Implements `Documents`; the file appears with the first write."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write_raw(self, batch_id: str, chunks: Iterable[pa.Table], *, ingested_at: datetime) -> int:
        """Replace the raw records of a batch; returns how many there are now."""
        with self._transaction() as connection:
            number = self._number(connection, batch_id, ingested_at)
            return _replace(connection, "raw", number, "defect", chunks)

    def read_raw(self, batch_id: str, *, chunk_rows: int) -> Iterator[pa.Table]:
        """The raw records of a batch, in order of ordinal."""
        statement = (
            "SELECT ordinal, document, defect FROM raw"
            " WHERE batch = (SELECT number FROM batches WHERE batch_id = ?) ORDER BY ordinal"
        )
        yield from self._read(statement, (batch_id,), RAW_SCHEMA, chunk_rows)

    def count_raw(self, batch_id: str) -> int:
        """How many raw records of a batch are kept; 0 for an unknown one."""
        if not self._path.exists():
            return 0
        with closing(sqlite3.connect(self._path, timeout=60)) as connection:
            counted = connection.execute(
                "SELECT count(*) FROM raw WHERE batch = (SELECT number FROM batches WHERE batch_id = ?)",
                (batch_id,),
            )
            return int(counted.fetchone()[0])

    def write_quarantine(self, batch_id: str, chunks: Iterable[pa.Table]) -> int:
        """Replace the quarantined records of a batch; returns how many there are now."""
        with self._transaction() as connection:
            number = self._number(connection, batch_id, None)
            return _replace(connection, "quarantined", number, "reasons", chunks)

    def read_quarantine(self, batch_id: str, *, limit: int | None = None) -> Iterator[pa.Table]:
        """The quarantined records of a batch, in order of ordinal, at most `limit`."""
        statement = (
            "SELECT ordinal, document, reasons FROM quarantined"
            " WHERE batch = (SELECT number FROM batches WHERE batch_id = ?) ORDER BY ordinal LIMIT ?"
        )
        yield from self._read(
            statement, (batch_id, -1 if limit is None else limit), QUARANTINE_SCHEMA, 10_000
        )

    def drop(self, batch_id: str) -> None:
        """Forget a batch's records."""
        with self._transaction() as connection:
            for table in ("raw", "quarantined"):
                connection.execute(
                    f"DELETE FROM {table} WHERE batch = (SELECT number FROM batches WHERE batch_id = ?)",  # noqa: S608
                    (batch_id,),
                )
            connection.execute("DELETE FROM batches WHERE batch_id = ?", (batch_id,))

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_TABLES)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _number(self, connection: sqlite3.Connection, batch_id: str, ingested_at: datetime | None) -> int:
        if ingested_at is not None:
            connection.execute(
                "INSERT INTO batches (batch_id, ingested_at) VALUES (?, ?)"
                " ON CONFLICT (batch_id) DO UPDATE SET ingested_at = excluded.ingested_at",
                (batch_id, ingested_at.isoformat()),
            )
        row = connection.execute("SELECT number FROM batches WHERE batch_id = ?", (batch_id,)).fetchone()
        if row is None:
            raise KeyError(f"batch {batch_id!r} has no raw records")
        return int(row[0])

    def _read(
        self, statement: str, parameters: tuple[object, ...], schema: pa.Schema, chunk_rows: int
    ) -> Iterator[pa.Table]:
        if not self._path.exists():
            return
        with closing(sqlite3.connect(self._path, timeout=60)) as connection:
            cursor = connection.execute(statement, parameters)
            while rows := cursor.fetchmany(chunk_rows):
                columns = zip(*rows, strict=True)
                yield pa.table(
                    [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
                    schema=schema,
                )


def _replace(
    connection: sqlite3.Connection, table: str, batch: int, last_column: str, chunks: Iterable[pa.Table]
) -> int:
    connection.execute(f"DELETE FROM {table} WHERE batch = ?", (batch,))  # noqa: S608 -- our own names
    insert = f"INSERT INTO {table} (batch, ordinal, document, {last_column}) VALUES ({batch}, ?, ?, ?)"  # noqa: S608
    written = 0
    for chunk in chunks:
        columns = (chunk[name].to_pylist() for name in ("ordinal", "document", last_column))
        connection.executemany(insert, zip(*columns, strict=True))
        written += chunk.num_rows
    return written
