"""Precomputed answers in one SQLite file per name, never changed once it is complete.

Answers repeat themselves, so each is compressed by itself: a fifth of the bytes to write, to keep and to
read, for some ten microseconds of a look-up. Files of earlier versions hold them as they are.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from marketing_platform.stores.named_folders import NamedFolders, OpenFolder

_FILE = "answers.sqlite"
_CODEC = "lz4_raw"  # zstd would save another third, for twice the time
_SIZE_BYTES = 4  # before the compressed bytes: how many they become
_PLAIN, _COMPRESSED = 0, 1  # the `user_version` of a file
# Some answers fit a page. The keys are in an index of their own: among the answers (WITHOUT ROWID) a page
# would hold a few of them only, and finding one takes three times as long.
_PAGE_BYTES = 16384
_TABLE = "CREATE TABLE answers (key TEXT PRIMARY KEY NOT NULL, answer BLOB NOT NULL)"
# As much of a file as SQLite maps at most: read from there, an answer costs a third of what it costs through
# `read`. A file that is complete is never changed or cut off, which is what mapped files do not survive.
_MAPPED_BYTES = (1 << 31) - 1


class SqliteAnswersReader:
    """Implements `AnswersReader`; every thread gets its own connection to the same file."""

    def __init__(self, folder: OpenFolder) -> None:
        self.identity = folder.path.name  # a new one for each write, also of the same name
        self._folder = folder
        self._uri = f"{(folder.path / _FILE).resolve().as_uri()}?mode=ro&immutable=1"
        self._local = threading.local()
        self._opening = threading.Lock()
        self._connections: list[sqlite3.Connection] = []

    def get(self, key: str) -> bytes | None:
        """The answer of `key`, or None."""
        row = self._connection().execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        return row[0] if self._local.plain else _unpacked(row[0])

    def close(self) -> None:
        """Close every thread's connection; no look-up may be under way."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._folder.close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # check_same_thread is off for `close` alone, which runs in whatever thread ends the reader.
            connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False)
            connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            self._local.plain = version == _PLAIN
            self._local.connection = connection
            with self._opening:
                self._connections.append(connection)
        return connection


class SqliteAnswers:
    """Implements `Answers` below one folder."""

    def __init__(self, root: Path) -> None:
        self._folders = NamedFolders(root, "set of answers")

    def write(self, name: str, chunks: Iterable[pa.Table]) -> int:
        """Store the answers of `name`, fastest in order of key; ValueError when a key repeats."""
        with self._folders.replace(name) as folder:
            return _build(folder / _FILE, chunks)

    def open(self, name: str) -> SqliteAnswersReader:
        """A reader of `name`; UnknownName when nothing complete is there."""
        return SqliteAnswersReader(self._folders.open(name))

    def count(self, name: str) -> int:
        """How many answers `name` holds."""
        with self._folders.open(name) as folder, closing(sqlite3.connect(folder.path / _FILE)) as connection:
            return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])

    def names(self) -> list[str]:
        """Every complete set of answers."""
        return self._folders.names()

    def drop(self, name: str) -> None:
        """Remove a set of answers; readers that have it open keep it until they close."""
        self._folders.drop(name)


def _build(path: Path, chunks: Iterable[pa.Table]) -> int:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        # A file that is not complete is thrown away, so nothing needs to be recoverable.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA user_version = {_COMPRESSED}")
        connection.execute(_TABLE)
        connection.execute("BEGIN")
        try:
            connection.executemany("INSERT INTO answers VALUES (?, ?)", _rows(chunks))
        except sqlite3.IntegrityError as error:
            raise ValueError(
                f"keys of answers must be unique and neither key nor answer null: {error}"
            ) from error
        connection.execute("COMMIT")
        count = int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])
    with path.open("rb") as written:
        os.fsync(written.fileno())
    return count


def _rows(chunks: Iterable[pa.Table]) -> Iterator[tuple[str | None, bytes | None]]:
    for chunk in chunks:
        for batch in chunk.select(["key", "answer"]).to_batches(max_chunksize=10_000):
            for key, answer in zip(batch["key"].to_pylist(), batch["answer"].to_pylist(), strict=True):
                yield key, answer if answer is None else _packed(answer)


def _packed(answer: bytes) -> bytes:
    return len(answer).to_bytes(_SIZE_BYTES, "little") + pa.compress(answer, _CODEC, asbytes=True)


def _unpacked(stored: bytes) -> bytes:
    size = int.from_bytes(stored[:_SIZE_BYTES], "little")
    return pa.decompress(stored[_SIZE_BYTES:], size, _CODEC, asbytes=True)
