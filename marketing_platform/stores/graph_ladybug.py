"""Property graphs in Ladybug, one database file per name.

Ladybug wants node and relation tables declared before rows: the declarations derive from the
Arrow schemas of the sets, so that what the graph means stays with whoever gives them. A node
set's first column is its key; a relation set's `source_key` and `target_key` hold keys.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ladybug
import pyarrow as pa

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.graph_values import MOMENT, quoted, storable, storable_relations
from marketing_platform.stores.named_folders import NamedFolders, OpenFolder
from marketing_platform.stores.protocols import GraphCounts, NodeSet, RelationSet

_FILE = "graph.lbug"
# Of pages that a reader keeps; the rest is read from the file again. Ladybug would take 80 % of the machine's
# memory for each, and to make room for that takes several times as long as opening, every thread held up.
_POOL_BYTES = 1 << 30


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

    def write(self, name: str, nodes: Iterable[NodeSet], relations: Iterable[RelationSet]) -> GraphCounts:
        """Store a graph; ValueError when a key repeats or a relation refers to a node that is not there."""
        with (
            self._folders.replace(name) as folder,
            ladybug.Database(folder / _FILE) as database,
            ladybug.Connection(database) as connection,
        ):
            for node_set in nodes:
                _write_nodes(connection, node_set)
            for relation_set in relations:
                _write_relations(connection, relation_set)
            return _counts(connection)

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


def _write_nodes(connection: ladybug.Connection, nodes: NodeSet) -> None:
    rows = storable(nodes.rows, f"label {nodes.label}")
    key = quoted(rows.column_names[0])
    columns = ", ".join(_declared(rows.schema))
    _execute(connection, f"CREATE NODE TABLE {quoted(nodes.label)} ({columns}, PRIMARY KEY ({key}))").close()
    _copy(connection, nodes.label, rows, f"nodes {nodes.label}")


def _write_relations(connection: ladybug.Connection, relations: RelationSet) -> None:
    rows, what = storable_relations(relations)
    ends = f"FROM {quoted(relations.source)} TO {quoted(relations.target)}"
    declared = ", ".join([ends, *_declared(rows.schema)[2:]])
    _execute(connection, f"CREATE REL TABLE {quoted(relations.type)} ({declared})").close()
    _copy(connection, relations.type, rows, what)


def _copy(connection: ladybug.Connection, table: str, rows: pa.Table, what: str) -> None:
    if not rows.num_rows:
        return
    try:
        _execute(connection, f"COPY {quoted(table)} FROM $rows", {"rows": rows}).close()
    except RuntimeError as error:
        if "primary key" not in str(error):
            raise
        raise ValueError(
            f"{what}: {error}; keys must be unique, and both ends of a relation must exist"
        ) from error


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
    with closing(_execute(connection, query, parameters)) as result:
        names = result.get_column_names()
        return [dict(zip(names, map(_plain, row), strict=True)) for row in result.get_all()]


def _execute(
    connection: ladybug.Connection, query: str, parameters: dict[str, Any] | None = None
) -> ladybug.QueryResult:
    result = connection.execute(query, parameters)
    if isinstance(result, list):
        raise ValueError(f"one statement at a time, please: {query}")
    return result


_SQL = {
    pa.string(): "STRING",
    pa.int64(): "INT64",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOL",
    pa.date32(): "DATE",
    MOMENT: "TIMESTAMP_TZ",
}


def _declared(schema: pa.Schema) -> list[str]:
    return [f"{quoted(field.name)} {_SQL[field.type]}" for field in schema]


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
