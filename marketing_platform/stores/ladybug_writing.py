"""How nodes and relations get into a Ladybug file: all of them, or what differs from a copy of another.

Ladybug wants node and relation tables declared before rows: the declarations derive from the
Arrow schemas of the sets, so that what the graph means stays with whoever gives them. A node
set's first column is its key; a relation set's `source_key` and `target_key` hold keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeVar

import ladybug
import pyarrow as pa

from marketing_platform.cores import ahead
from marketing_platform.stores.graph_values import MOMENT, quoted, storable, storable_relations
from marketing_platform.stores.protocols import GraphChanges, NodeSet, RelationSet

_Set = TypeVar("_Set", NodeSet, RelationSet)

# Copied in one transaction, whose rows must fit the pool until it ends. Each rewrites what others wrote for
# the same nodes, so fewer take less time.
_ROWS_AT_ONCE = 2_000_000


def build(database: ladybug.Database, nodes: Iterable[NodeSet], relations: Iterable[RelationSet]) -> None:
    """Fill an empty database; ValueError when a key repeats or an end of a relation is not there."""
    # Whoever gives rows reads and joins tables meanwhile, which takes a core that copying leaves free.
    for label, sets in groupby(ahead(_together(nodes, _label)), key=_label):
        _make_label(database, label, sets)
    for kind, sets in groupby(ahead(_together(relations, _type)), key=_type):
        _make_relations(database, kind, sets)


def change(database: ladybug.Database, changes: GraphChanges) -> None:
    """Turn a copy of the base into the other graph; errors are those of `build`.

    Relations of which any changed are given anew, all of a type: to find and delete some takes Ladybug longer
    than to copy all.
    """
    for added in _together(changes.added_nodes, _label):
        _copy_nodes(database, added)
    for changed in _together(changes.changed_nodes, _label):
        _set_nodes(database, changed)
    for more in _together(changes.added_relations, _type):
        _copy_relations(database, more)
    for kind, sets in groupby(ahead(_together(changes.renewed_relations, _type)), key=_type):
        _run(database, f"DROP TABLE {quoted(kind)}")
        _make_relations(database, kind, sets)


def execute(
    connection: ladybug.Connection, query: str, parameters: dict[str, Any] | None = None
) -> ladybug.QueryResult:
    """Run one statement of parameterised Cypher."""
    result = connection.execute(query, parameters)
    if isinstance(result, list):
        raise ValueError(f"one statement at a time, please: {query}")
    return result


def _run(database: ladybug.Database, query: str, rows: pa.Table | None = None) -> None:
    """Run one statement, over `$rows` where some are given."""
    # In a connection of its own: Ladybug 0.22 keeps the rows of every statement until the connection closes.
    # Chunks are joined, since an empty one ends the rows for it.
    parameters = None if rows is None else {"rows": rows.combine_chunks()}
    with ladybug.Connection(database) as connection:
        execute(connection, query, parameters).close()


def _label(nodes: NodeSet) -> str:
    return nodes.label


def _type(relations: RelationSet) -> str:
    return relations.type


def _together(sets: Iterable[_Set], kind: Callable[[_Set], str]) -> Iterator[_Set]:
    """The same rows in fewer sets: neighbours of one kind, as far as they may be copied at once."""
    waiting: list[_Set] = []
    for one in sets:
        rows = sum(other.rows.num_rows for other in waiting) + one.rows.num_rows
        if waiting and (kind(one) != kind(waiting[0]) or rows > _ROWS_AT_ONCE):
            yield _joined(waiting)
            waiting = []
        waiting.append(one)
    if waiting:
        yield _joined(waiting)


def _joined(sets: list[_Set]) -> _Set:
    return replace(sets[0], rows=pa.concat_tables([one.rows for one in sets]))


def _make_label(database: ladybug.Database, label: str, sets: Iterable[NodeSet]) -> None:
    for number, nodes in enumerate(sets):
        if not number:
            schema = storable(nodes.rows.schema.empty_table(), f"label {label}").schema
            columns = ", ".join(_declared(schema))
            key = quoted(schema.names[0])
            _run(database, f"CREATE NODE TABLE {quoted(label)} ({columns}, PRIMARY KEY ({key}))")
        _copy_nodes(database, nodes)


def _make_relations(database: ladybug.Database, kind: str, sets: Iterable[RelationSet]) -> None:
    for number, relations in enumerate(sets):
        if not number:
            schema = storable_relations(replace(relations, rows=relations.rows.slice(0, 0)))[0].schema
            ends = f"FROM {quoted(relations.source)} TO {quoted(relations.target)}"
            declared = ", ".join([ends, *_declared(schema)[2:]])
            _run(database, f"CREATE REL TABLE {quoted(kind)} ({declared})")
        _copy_relations(database, relations)


def _copy_nodes(database: ladybug.Database, nodes: NodeSet) -> None:
    what = f"nodes {nodes.label}"
    _copy(database, nodes.label, storable(nodes.rows, what), what)


def _copy_relations(database: ladybug.Database, relations: RelationSet) -> None:
    rows, what = storable_relations(relations)
    _copy(database, relations.type, rows, what)


def _copy(database: ladybug.Database, table: str, rows: pa.Table, what: str) -> None:
    if not rows.num_rows:
        return
    try:
        _run(database, f"COPY {quoted(table)} FROM $rows", rows)
    except RuntimeError as error:
        if "primary key" not in str(error):
            raise
        raise ValueError(
            f"{what}: {error}; keys must be unique, and both ends of a relation must exist"
        ) from error


def _set_nodes(database: ladybug.Database, nodes: NodeSet) -> None:
    rows = storable(nodes.rows, f"nodes {nodes.label}")
    key, *others = rows.column_names
    if not rows.num_rows or not others:
        return
    # A column may be called like the property it is for, but not where both are in reach.
    given = rows.rename_columns([f"given_{name}" for name in rows.column_names])
    settings = ", ".join(f"n.{quoted(name)} = {quoted(f'given_{name}')}" for name in others)
    _run(
        database,
        f"LOAD FROM $rows MATCH (n:{quoted(nodes.label)}) WHERE n.{quoted(key)} = {quoted(f'given_{key}')}"
        f" SET {settings}",
        given,
    )


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
