"""Enriched documents as JSON in one SQLite file; a set is written in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from marketing_platform.errors import UnknownName
from marketing_platform.stores.enriched_rows import documents_of

_TABLES = """
CREATE TABLE IF NOT EXISTS sets (
    number INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, rows INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    set_number INTEGER NOT NULL, ordinal INTEGER NOT NULL, user_id TEXT, campaign_id TEXT, at INTEGER,
    document TEXT NOT NULL, PRIMARY KEY (set_number, ordinal)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS documents_of_user ON documents (user_id, at);
CREATE INDEX IF NOT EXISTS documents_of_campaign ON documents (campaign_id, at);
"""
_CACHE_KIB = 65_536  # the indexes are filled in no order


class SqliteEnrichedDocuments:
    """Implements `EnrichedDocuments`; the file appears with the first write."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str, chunks: Iterable[pa.Table]) -> int:
        """Replace a set; ValueError when a `row_ordinal` repeats."""
        with self._transaction() as connection:
            _remove(connection, name)
            made = connection.execute("INSERT INTO sets (name, rows) VALUES (?, 0)", (name,))
            insert = f"INSERT INTO documents VALUES ({made.lastrowid}, ?, ?, ?, ?, ?)"  # noqa: S608
            rows = 0
            for chunk in chunks:
                try:
                    connection.executemany(insert, map(_row, documents_of(chunk)))
                except sqlite3.IntegrityError as error:
                    raise ValueError(f"a row_ordinal of {name} repeats; they must be unique") from error
                rows += chunk.num_rows
            connection.execute("UPDATE sets SET rows = ? WHERE name = ?", (rows, name))
            return rows

    def read(
        self, names: Sequence[str], *, limit: int, user_id: str | None = None, campaign_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The newest documents of these sets."""
        wanted = {"user_id": user_id, "campaign_id": campaign_id}
        given = {column: value for column, value in wanted.items() if value is not None}
        conditions = "".join(f" AND {column} = ?" for column in given)
        statement = (
            "SELECT document FROM documents WHERE set_number IN"  # noqa: S608 -- our own names
            " (SELECT number FROM sets WHERE name IN (SELECT value FROM json_each(?)))"
            f"{conditions} ORDER BY at DESC LIMIT ?"
        )
        found = self._ask(statement, json.dumps(list(names)), *given.values(), limit)
        return [_document(text) for (text,) in found]

    def count(self, name: str) -> int:
        """How many documents a set holds; UnknownName when nothing complete is there."""
        found = self._ask("SELECT rows FROM sets WHERE name = ?", name)
        if not found:
            raise UnknownName(f"{self._path} holds no set of documents under the name {name!r}")
        return int(found[0][0])

    def names(self) -> list[str]:
        """Every complete set."""
        return [name for (name,) in self._ask("SELECT name FROM sets ORDER BY name")]

    def drop(self, name: str) -> None:
        """Forget a set."""
        with self._transaction() as connection:
            _remove(connection, name)

    def _ask(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        with closing(sqlite3.connect(self._path, timeout=60)) as connection:
            return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.executescript(_TABLES)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


def _remove(connection: sqlite3.Connection, name: str) -> None:
    connection.execute(
        "DELETE FROM documents WHERE set_number = (SELECT number FROM sets WHERE name = ?)", (name,)
    )
    connection.execute("DELETE FROM sets WHERE name = ?", (name,))


def _row(document: dict[str, Any]) -> tuple[Any, ...]:
    moment: datetime | None = document.get("timestamp")
    return (
        document["row_ordinal"],
        document.get("user_id"),
        document.get("campaign_id"),
        None if moment is None else round(moment.timestamp() * 1000),
        orjson.dumps(document).decode(),
    )


def _document(text: str) -> dict[str, Any]:
    document = orjson.loads(text)
    if "timestamp" in document:
        document["timestamp"] = datetime.fromisoformat(document["timestamp"])
    return document
