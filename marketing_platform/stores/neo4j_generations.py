"""Which graphs a Neo4j database holds: written aside, shown at once, kept a while after they are dropped.

Every write makes a generation of its own, with labels of its own (`neo4j_scope`). A `:StoredGraph` node
tells of it: `shown_as` is the name under which people see it, there only while it is complete and not
dropped, and a constraint keeps it unique. What is not shown, and was not touched for a while, is left over
from a writer that died, or dropped and closed by its readers: the next write or drop removes it.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from marketing_platform.errors import UnknownName
from marketing_platform.stores.graph_values import quoted
from marketing_platform.stores.neo4j_bolt import Bolt
from marketing_platform.stores.neo4j_scope import scoped_label

_TOUCH_SECONDS = 20.0
_DELETED_AT_ONCE = 10_000
_UNIQUE = """
CREATE CONSTRAINT stored_graph_{property} IF NOT EXISTS
FOR (g:StoredGraph) REQUIRE g.{property} IS UNIQUE
"""
_BEGIN = """
CREATE (:StoredGraph {generation: $generation, name: $name, labels: [], relations: [],
                      touched_at: datetime()})
"""
_TOUCH = """
MATCH (g:StoredGraph {generation: $generation})
SET g.touched_at = datetime(), g.labels = $labels, g.relations = $relations
"""
_HIDE = """
MATCH (g:StoredGraph {shown_as: $name})
SET g.touched_at = datetime()
REMOVE g.shown_as
"""
_SHOW = "MATCH (g:StoredGraph {generation: $generation}) SET g.shown_as = $name, g.touched_at = datetime()"
_SHOWN = """
MATCH (g:StoredGraph {shown_as: $name})
RETURN g.generation AS generation, g.labels AS labels, g.relations AS relations
"""
_NAMES = "MATCH (g:StoredGraph) WHERE g.shown_as IS NOT NULL RETURN g.shown_as AS name ORDER BY name"
_LEFT_OVER = """
MATCH (g:StoredGraph)
WHERE g.shown_as IS NULL AND g.touched_at <= datetime() - duration({seconds: $seconds})
RETURN g.generation AS generation, g.labels AS labels
"""
_FORGET = "MATCH (g:StoredGraph {generation: $generation}) DELETE g"


@dataclass(frozen=True)
class Generation:
    """One written graph."""

    id: str
    labels: tuple[str, ...]
    relations: tuple[tuple[str, str], ...]  # type, and the label they start from


class Writing:
    """A generation that is being written; says now and then that its writer is alive."""

    def __init__(self, bolt: Bolt, name: str) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._bolt = bolt
        self._labels: list[str] = []
        self._relations: list[str] = []
        bolt.write((_BEGIN, {"generation": self.id, "name": name}))
        self._touched = time.monotonic()

    def add_label(self, label: str) -> None:
        """Note the label before its first node, so that nothing is ever left unknown."""
        self._labels.append(label)
        self._touch()

    def add_relation(self, kind: str, source: str) -> None:
        self._relations.append(f"{kind} {source}")
        self._touch()

    def alive(self) -> None:
        """To be called with every batch."""
        if time.monotonic() - self._touched > _TOUCH_SECONDS:
            self._touch()

    def finished(self) -> Generation:
        return _generation({"generation": self.id, "labels": self._labels, "relations": self._relations})

    def _touch(self) -> None:
        noted = {"generation": self.id, "labels": self._labels, "relations": self._relations}
        self._bolt.write((_TOUCH, noted))
        self._touched = time.monotonic()


def prepare(bolt: Bolt) -> None:
    """The constraints of the `:StoredGraph` nodes, where they are not there yet."""
    for name in ("generation", "shown_as"):
        bolt.alone(_UNIQUE.format(property=name))


def show(bolt: Bolt, generation: str, name: str) -> None:
    """Let people see a complete generation as `name`, instead of what they saw under it."""
    bolt.write((_HIDE, {"name": name}), (_SHOW, {"generation": generation, "name": name}))


def hide(bolt: Bolt, name: str) -> None:
    """Take the name away; nothing when there is none."""
    bolt.write((_HIDE, {"name": name}))


def shown(bolt: Bolt, name: str) -> Generation:
    """The generation that people see as `name`; UnknownName when there is none."""
    for row in bolt.read(_SHOWN, {"name": name}):
        return _generation(row)
    raise UnknownName(f"there is no graph {name!r} in Neo4j; write it first, or choose one of `names()`")


def names(bolt: Bolt) -> list[str]:
    """Every name that people see."""
    return sorted(row["name"] for row in bolt.read(_NAMES, {}))


def remove_left_over(bolt: Bolt, *, idle_seconds: float) -> None:
    """Remove every generation that nobody sees and nobody touched for so long."""
    for row in bolt.read(_LEFT_OVER, {"seconds": idle_seconds}):
        remove(bolt, row["generation"], row["labels"])


def remove(bolt: Bolt, generation: str, labels: list[str]) -> None:
    """Remove a generation in batches, its entry last, so that an interrupted removal is taken up again."""
    for label in labels:
        # Relations first: a node may have more of them than fit into one transaction.
        bolt.alone(
            f"MATCH (:{scoped_label(label, generation)})-[r]->() "
            f"CALL (r) {{ DELETE r }} IN TRANSACTIONS OF {_DELETED_AT_ONCE} ROWS"
        )
    for label in labels:
        bolt.alone(f"DROP CONSTRAINT {constraint(label, generation)} IF EXISTS")
        bolt.alone(
            f"MATCH (n:{scoped_label(label, generation)}) "
            f"CALL (n) {{ DETACH DELETE n }} IN TRANSACTIONS OF {_DELETED_AT_ONCE} ROWS"
        )
    bolt.write((_FORGET, {"generation": generation}))


def constraint(label: str, generation: str) -> str:
    """The name of the constraint that keeps the keys of a label unique, as Cypher text."""
    return quoted(f"key_{label}__{generation}")


def _generation(row: dict[str, Any]) -> Generation:
    starts = (entry.split(" ") for entry in row["relations"])
    return Generation(
        row["generation"], tuple(row["labels"]), tuple((kind, source) for kind, source in starts)
    )
