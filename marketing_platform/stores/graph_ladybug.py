"""Property graphs in Ladybug, one database file per name.

How nodes and relations get into a file is the business of `ladybug_writing.py`.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ladybug

from marketing_platform.errors import StoreUnavailable, UnknownName
from marketing_platform.stores import ladybug_writing
from marketing_platform.stores.graph_values import quoted
from marketing_platform.stores.named_folders import NamedFolders, OpenFolder
from marketing_platform.stores.protocols import GraphChanges, GraphCounts, NodeSet, RelationSet

_FILE = "graph.lbug"
# Of pages that a reader keeps; the rest is read from the file again. Ladybug would take 80 % of the machine's
# memory for each, and to make room for that takes several times as long as opening, every thread held up.
_POOL_BYTES = 1 << 30
# The same for a writer, whose process holds as much again beside it: a graph of 10,000,000 nodes and
# 15,000,000 relations is written in 2.5 GB, with half of it in 1.9 GB and a twentieth more time.
_WRITER_POOL_BYTES = 1 << 30


class LadybugReader:
    """Implements `GraphReader`; every thread gets its own connection to the same database."""

    def __init__(self, folder: OpenFolder, timeout_ms: int) -> None:
        self._folder = folder
        self._timeout_ms = timeout_ms
        path = folder.path / _FILE
        self._database = ladybug.Database(path, read_only=True, buffer_pool_size=_POOL_BYTES)
        self._local = threading.local()
        self._opening = threading.Lock()
        self._connections: list[ladybug.Connection] = []

    def run(self, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run parameterised Cypher; StoreUnavailable when it takes longer than the limit."""
        try:
            return _rows(self._connection(), query, dict(parameters))
        except RuntimeError as error:
            if "Interrupted" in str(error):
                raise StoreUnavailable(
                    f"the graph did not answer within {self._timeout_ms} ms: {query}"
                ) from error
            raise

    def close(self) -> None:
        """Close every thread's connection and the database; no query may be under way."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._database.close()
        self._folder.close()

    def _connection(self) -> ladybug.Connection:
        connection: ladybug.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # One thread per query: requests run beside each other, so more would only get in their way.
            connection = ladybug.Connection(self._database, num_threads=1)
            connection.set_query_timeout(self._timeout_ms)
            self._local.connection = connection
            with self._opening:
                self._connections.append(connection)
        return connection


class LadybugGraphs:
    """Implements `Graphs` below one folder; readers' queries may take `query_timeout_ms`."""

    def __init__(self, root: Path, *, query_timeout_ms: int = 5_000) -> None:
        self._folders = NamedFolders(root, "graph")
        self._query_timeout_ms = query_timeout_ms

    def write(
        self,
        name: str,
        nodes: Iterable[NodeSet],
        relations: Iterable[RelationSet],
        *,
        changes: GraphChanges | None = None,
    ) -> GraphCounts:
        """Store a graph; ValueError when a key repeats or a relation refers to a node that is not there."""
        with self._folders.replace(name) as folder:
            begun = changes if changes and self._copied(changes.base, folder / _FILE) else None
            with ladybug.Database(folder / _FILE, buffer_pool_size=_WRITER_POOL_BYTES) as database:
                if begun:
                    ladybug_writing.change(database, begun)
                else:
                    ladybug_writing.build(database, nodes, relations)
                with ladybug.Connection(database) as connection:
                    return _counts(connection)

    def _copied(self, base: str, path: Path) -> bool:
        """Whether `path` is now a copy of that graph."""
        try:
            with self._folders.open(base) as folder:
                shutil.copyfile(folder.path / _FILE, path)
        except UnknownName:
            return False
        return True

    def open(self, name: str) -> LadybugReader:
        """A reader of `name`; UnknownName when nothing complete is there."""
        return LadybugReader(self._folders.open(name), self._query_timeout_ms)

    def count(self, name: str) -> GraphCounts:
        """What `name` holds, counted by Ladybug."""
        with (
            self._folders.open(name) as folder,
            ladybug.Database(folder.path / _FILE, read_only=True) as database,
            ladybug.Connection(database) as connection,
        ):
            return _counts(connection)

    def names(self) -> list[str]:
        """Every complete graph."""
        return self._folders.names()

    def drop(self, name: str) -> None:
        """Remove a graph; readers that have it open keep it until they close."""
        self._folders.drop(name)


def _counts(connection: ladybug.Connection) -> GraphCounts:
    tables = [(row["name"], row["type"]) for row in _rows(connection, "CALL show_tables() RETURN name, type")]
    return GraphCounts(
        nodes={name: _count(connection, f"(n:{quoted(name)})") for name, kind in tables if kind == "NODE"},
        relations={
            name: _count(connection, f"()-[r:{quoted(name)}]->()") for name, kind in tables if kind == "REL"
        },
    )


def _count(connection: ladybug.Connection, pattern: str) -> int:
    return _rows(connection, f"MATCH {pattern} RETURN count(*) AS found")[0]["found"]


def _rows(
    connection: ladybug.Connection, query: str, parameters: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    with closing(ladybug_writing.execute(connection, query, parameters)) as result:
        names = result.get_column_names()
        return [dict(zip(names, map(_plain, row), strict=True)) for row in result.get_all()]


def _plain(value: Any) -> Any:
    """Plain Python: Ladybug gives sums as Decimal, moments of both kinds, and nested lists and maps."""
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
