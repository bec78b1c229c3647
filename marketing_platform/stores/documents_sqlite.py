"""Raw and quarantined records in one SQLite file: raw ones in compressed blocks, refused ones a row each.

Each batch is written in one transaction: a process that dies while writing leaves the batch as
it was. Batch ids are long, so rows carry a small number for them. A block is one chunk as it came,
an Arrow stream compressed by zstd: a tenth of what a row per record takes, in bytes and in time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from marketing_platform.stores.arrow_bytes import table_bytes, table_from
from marketing_platform.stores.protocols import QUARANTINE_SCHEMA, RAW_SCHEMA
from marketing_platform.stores.raw_chunks import written_out

_RAW_BLOCKS = """
CREATE TABLE IF NOT EXISTS raw_blocks (
    batch INTEGER NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (batch, first));
"""
_TABLES = """
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY, batch_id TEXT UNIQUE NOT NULL, ingested_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS quarantined (
    batch INTEGER NOT NULL, ordinal INTEGER NOT NULL, document TEXT NOT NULL, reasons TEXT NOT NULL,
    PRIMARY KEY (batch, ordinal)) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS quarantined_records AS
    SELECT batch_id, ordinal, ingested_at, document, reasons FROM quarantined JOIN batches ON batch = number;
"""
_CHUNK = 10_000  # records of a table that is made of rows


class SqliteDocuments:
    """Implements `Documents`; the file appears with the first write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = False  # for raw records of the first form

    def write_raw(self, batch_id: str, chunks: Iterable[pa.Table], *, ingested_at: datetime) -> int:
        """Replace the raw records of a batch; returns how many there are now."""
        with self._transaction() as connection:
            number = self._number(connection, batch_id, ingested_at)
            connection.execute("DELETE FROM raw_blocks WHERE batch = ?", (number,))
            written = 0
            for chunk in chunks:
                if chunk.num_rows:
                    _add_block(connection, number, chunk)
                    written += chunk.num_rows
            return written

    def read_raw(self, batch_id: str, *, chunk_rows: int) -> Iterator[pa.Table]:
        """The raw records of a batch, in order of ordinal."""
        return map(written_out, self.read_compact(batch_id, chunk_rows=chunk_rows))

    def read_compact(self, batch_id: str, *, chunk_rows: int) -> Iterator[pa.Table]:
        """The raw records of a batch as they were given, but in chunks of at most `chunk_rows`."""
        for (content,) in self._ask(
            "SELECT content FROM raw_blocks"
            " WHERE batch = (SELECT number FROM batches WHERE batch_id = ?) ORDER BY first",
            batch_id,
        ):
            block = table_from(content)
            for start in range(0, block.num_rows, chunk_rows):
                yield block.slice(start, chunk_rows)

    def count_raw(self, batch_id: str) -> int:
        """How many raw records of a batch are kept; 0 for an unknown one."""
        counted = self._ask(
            "SELECT coalesce(sum(rows), 0) FROM raw_blocks"
            " WHERE batch = (SELECT number FROM batches WHERE batch_id = ?)",
            batch_id,
        )
        return sum(int(rows) for (rows,) in counted)

    def write_quarantine(self, batch_id: str, chunks: Iterable[pa.Table]) -> int:
        """Replace the quarantined records of a batch; returns how many there are now."""
        with self._transaction() as connection:
            number = self._number(connection, batch_id, None)
            return _refuse(connection, number, chunks)

    def read_quarantine(self, batch_id: str, *, limit: int | None = None) -> Iterator[pa.Table]:
        """The quarantined records of a batch, in order of ordinal, at most `limit`."""
        rows = self._ask(
            "SELECT ordinal, document, reasons FROM quarantined"
            " WHERE batch = (SELECT number FROM batches WHERE batch_id = ?) ORDER BY ordinal LIMIT ?",
            batch_id,
            -1 if limit is None else limit,
        )
        yield from _tables(rows, QUARANTINE_SCHEMA)

    def drop(self, batch_id: str) -> None:
        """Forget a batch's records."""
        with self._transaction() as connection:
            for table in ("raw_blocks", "quarantined"):
                connection.execute(
                    f"DELETE FROM {table} WHERE batch = (SELECT number FROM batches WHERE batch_id = ?)",  # noqa: S608
                    (batch_id,),
                )
            connection.execute("DELETE FROM batches WHERE batch_id = ?", (batch_id,))

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._renew()
        with closing(sqlite3.connect(self._path, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            for tables in (_RAW_BLOCKS, _TABLES):
                connection.executescript(tables)
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

    def _ask(self, statement: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        if not self._path.exists():
            return
        self._renew()
        with closing(sqlite3.connect(self._path, timeout=60)) as connection:
            yield from connection.execute(statement, parameters)

    def _renew(self) -> None:
        """Raw records that an earlier version kept, a row each, become blocks."""
        if self._looked or not self._path.exists():
            return
        with closing(sqlite3.connect(self._path, timeout=60, isolation_level=None)) as connection:
            rows_there = "SELECT 1 FROM sqlite_master WHERE name = 'raw'"
            # Asked without a lock first: whoever reads waits for no writer.
            if connection.execute(rows_there).fetchone():
                connection.execute("BEGIN IMMEDIATE")
            if connection.in_transaction and connection.execute(rows_there).fetchone():
                connection.execute(_RAW_BLOCKS)
                for (batch,) in connection.execute("SELECT number FROM batches").fetchall():
                    rows = connection.execute(
                        "SELECT ordinal, document, defect FROM raw WHERE batch = ? ORDER BY ordinal", (batch,)
                    )
                    for chunk in _tables(rows, RAW_SCHEMA):
                        _add_block(connection, batch, chunk)
                connection.execute("DROP VIEW raw_records")
                connection.execute("DROP TABLE raw")
            if connection.in_transaction:
                connection.execute("COMMIT")
        self._looked = True


def _tables(rows: Iterator[tuple[Any, ...]], schema: pa.Schema) -> Iterator[pa.Table]:
    while chunk := list(islice(rows, _CHUNK)):
        columns = zip(zip(*chunk, strict=True), schema, strict=True)
        yield pa.table([pa.array(column, field.type) for column, field in columns], schema=schema)


def _add_block(connection: sqlite3.Connection, batch: int, chunk: pa.Table) -> None:
    block = (batch, chunk["ordinal"][0].as_py(), chunk.num_rows, table_bytes(chunk))
    connection.execute("INSERT INTO raw_blocks VALUES (?, ?, ?, ?)", block)


def _refuse(connection: sqlite3.Connection, batch: int, chunks: Iterable[pa.Table]) -> int:
    connection.execute("DELETE FROM quarantined WHERE batch = ?", (batch,))
    written = 0
    for chunk in chunks:
        columns = (chunk[name].to_pylist() for name in QUARANTINE_SCHEMA.names)
        connection.executemany(
            f"INSERT INTO quarantined VALUES ({batch}, ?, ?, ?)",  # noqa: S608 -- a number of ours
            zip(*columns, strict=True),
        )
        written += chunk.num_rows
    return written
