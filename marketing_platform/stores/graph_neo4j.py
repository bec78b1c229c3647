"""Property graphs in one Neo4j database, Community included; every name sees its own nodes only.

How a name is kept apart from the others: `neo4j_scope` and docs/decisions/0010-neo4j-scope.md. When
it is seen and when it goes: `neo4j_generations`. Deadlines and retries: `neo4j_bolt`.

A node set's first column is its key, under a uniqueness constraint; a relation set's `source_key` and
`target_key` hold keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

import pyarrow as pa
from neo4j.exceptions import Neo4jError

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores import neo4j_generations as generations
from marketing_platform.stores.graph_values import quoted, storable, storable_relations
from marketing_platform.stores.neo4j_bolt import Bolt
from marketing_platform.stores.neo4j_generations import Generation, Writing
from marketing_platform.stores.neo4j_scope import scoped, scoped_label
from marketing_platform.stores.neo4j_settings import Neo4jSettings
from marketing_platform.stores.protocols import GraphChanges, GraphCounts, NodeSet, RelationSet


class Neo4jReader:
    """Implements `GraphReader`; threads share its pool."""

    def __init__(self, bolt: Bolt, generation: str) -> None:
        self._bolt = bolt
        self._generation = generation

    def run(self, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run parameterised Cypher on this graph only; StoreUnavailable when no answer came in time.

        ValueError for a query that writes, that might see another graph, or returns nodes as such.
        """
        return self._bolt.read(scoped(query, self._generation), parameters)

    def close(self) -> None:
        """Close the pool."""
        self._bolt.close()


class Neo4jGraphs:
    """Implements `Graphs`; connects anew for each call, so that it may be sent to other processes."""

    def __init__(self, settings: Neo4jSettings) -> None:
        self._settings = settings

    def write(
        self,
        name: str,
        nodes: Iterable[NodeSet],
        relations: Iterable[RelationSet],
        *,
        changes: GraphChanges | None = None,
    ) -> GraphCounts:
        """Store a graph; ValueError when a key repeats or a relation refers to a node that is not there.

        Always as a whole: generations share nothing, so that `changes` are of no use.
        StoreUnavailable when Neo4j is lost on the way: nothing is seen of it, and writing again is safe.
        """
        with self._patient() as bolt:
            generations.prepare(bolt)
            generations.remove_left_over(bolt, idle_seconds=self._settings.keep_dropped_seconds)
            writer = _Writer(bolt, name, self._settings.batch_rows)
            try:
                counts = writer.write(nodes, relations)
            except StoreUnavailable:
                raise
            except BaseException:
                writer.abandon()
                raise
            generations.show(bolt, writer.id, name)
            return counts

    def open(self, name: str) -> Neo4jReader:
        """A reader of `name`; UnknownName when nothing complete is there."""
        bolt = Bolt(self._settings)
        try:
            return Neo4jReader(bolt, generations.shown(bolt, name).id)
        except BaseException:
            bolt.close()
            raise

    def count(self, name: str) -> GraphCounts:
        """What `name` holds, counted by Neo4j."""
        with Bolt(self._settings) as bolt:
            return _counts(bolt, generations.shown(bolt, name))

    def names(self) -> list[str]:
        """Every complete graph."""
        with Bolt(self._settings) as bolt:
            return generations.names(bolt)

    def drop(self, name: str) -> None:
        """Take the name away; the nodes stay for `keep_dropped_seconds`.

        The next write or drop after that removes them.
        """
        with self._patient() as bolt:
            generations.hide(bolt, name)
            generations.remove_left_over(bolt, idle_seconds=self._settings.keep_dropped_seconds)

    def _patient(self) -> Bolt:
        return Bolt(self._settings, read_seconds=self._settings.write_seconds)


class _Writer:
    """Writes one generation, batch by batch."""

    def __init__(self, bolt: Bolt, name: str, batch_rows: int) -> None:
        self._bolt = bolt
        self._batch_rows = batch_rows
        self._writing = Writing(bolt, name)
        self._keys: dict[str, str] = {}  # label -> the property that is its key
        self.id = self._writing.id

    def write(self, nodes: Iterable[NodeSet], relations: Iterable[RelationSet]) -> GraphCounts:
        given = GraphCounts(
            nodes={
                label: self._write_label(label, sets)
                for label, sets in groupby(nodes, key=attrgetter("label"))
            },
            relations={
                kind: self._write_type(sets) for kind, sets in groupby(relations, key=attrgetter("type"))
            },
        )
        stored = _counts(self._bolt, self._writing.finished())
        if stored != given:
            raise StoreUnavailable(f"Neo4j was given {given} but holds {stored}; write the graph again")
        return stored

    def abandon(self) -> None:
        """Remove what was written."""
        generations.remove(self._bolt, self.id, list(self._writing.finished().labels))

    def _write_label(self, name: str, sets: Iterable[NodeSet]) -> int:
        what, label = f"nodes {name}", self._scoped(name)
        self._writing.add_label(name)
        written = sum(self._write_nodes(one, what, label) for one in sets)
        # Building the index at once, behind the rows, is faster than row by row.
        try:
            self._bolt.alone(
                f"CREATE CONSTRAINT {generations.constraint(name, self.id)} "
                f"FOR (n:{label}) REQUIRE n.{quoted(self._keys[name])} IS UNIQUE"
            )
        except Neo4jError as error:
            raise ValueError(f"{what}: keys must be unique: {error.message}") from error
        return written

    def _write_nodes(self, nodes: NodeSet, what: str, label: str) -> int:
        rows = storable(nodes.rows, what)
        key = rows.column_names[0]
        if rows.column(0).null_count:
            raise ValueError(f"{what}: {rows.column(0).null_count} rows have no {key}, which is their key")
        self._keys[nodes.label] = key
        properties = _properties(rows.column_names)
        for batch in self._batches(rows):
            self._bolt.write((f"UNWIND $rows AS row CREATE (:{label} {properties})", {"rows": batch}))
        return rows.num_rows

    def _write_type(self, sets: Iterable[RelationSet]) -> int:
        written = 0
        for number, one in enumerate(sets):
            rows, what = storable_relations(one)
            ends = self._end(one.source, what), self._end(one.target, what)
            if not number:
                self._writing.add_relation(one.type, one.source)
            self._write_relations(one.type, rows, what, ends)
            written += rows.num_rows
        return written

    def _write_relations(self, kind: str, rows: pa.Table, what: str, ends: tuple[str, str]) -> None:
        query = (
            f"UNWIND $rows AS row MATCH (a:{ends[0]} row.source_key}}) MATCH (b:{ends[1]} row.target_key}}) "
            f"CREATE (a)-[:{quoted(kind)} {_properties(rows.column_names[2:])}]->(b) "
            "RETURN count(*) AS created"
        )
        for batch in self._batches(rows):
            created = self._bolt.write((query, {"rows": batch}))[0]["created"]
            if created != len(batch):
                raise ValueError(
                    f"{what}: {len(batch) - created} rows, like {batch[0]} or near it, refer to nodes "
                    "that are not there; both ends of a relation must exist"
                )

    def _end(self, label: str, what: str) -> str:
        """The pattern of a node of that label with the key left open."""
        if label not in self._keys:
            raise ValueError(f"{what}: no nodes {label} were given; both ends of a relation must exist")
        return f"{self._scoped(label)} {{{quoted(self._keys[label])}:"

    def _scoped(self, label: str) -> str:
        return scoped_label(label, self.id)

    def _batches(self, rows: pa.Table) -> Iterator[list[dict[str, Any]]]:
        for batch in rows.to_batches(max_chunksize=self._batch_rows):
            self._writing.alive()
            yield batch.to_pylist()


def _properties(names: list[str]) -> str:
    return f"{{{', '.join(f'{quoted(name)}: row.{quoted(name)}' for name in names)}}}"


def _counts(bolt: Bolt, generation: Generation) -> GraphCounts:
    """Counted in Neo4j's own statistics, whatever the size."""

    def count(pattern: str) -> int:
        return bolt.read(f"MATCH {pattern} RETURN count(x) AS found", {})[0]["found"]

    def label(name: str) -> str:
        return scoped_label(name, generation.id)

    return GraphCounts(
        nodes={name: count(f"(x:{label(name)})") for name in generation.labels},
        relations={
            kind: count(f"(:{label(source)})-[x:{quoted(kind)}]->()") for kind, source in generation.relations
        },
    )
