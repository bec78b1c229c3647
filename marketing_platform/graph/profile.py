"""The profile graph of a user: what is around them in the knowledge graph, as far as one wants to go.

Which relations it follows is declared (`profile` in `relations.yaml`), and so is what nodes and edges carry:
a kind that is added there appears by itself. It goes along relations, from source to target, and never
on from another user: of those nothing is told but their id to who may read one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marketing_platform.graph.model import GraphModel, Label, Relation, graph_model
from marketing_platform.stores.graph_values import quoted
from marketing_platform.stores.protocols import GraphReader

USER = "User"
_NODE, _EDGE = "node_", "edge_"  # in front of the properties of each, which may share names


@dataclass(frozen=True)
class Node:
    """A node; `id` is unique in the graph, `properties` are those that its label declares."""

    id: str
    kind: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Edge:
    """A relation between two nodes, named by their ids."""

    kind: str
    source: str
    target: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Profile:
    """What was found, the user first; `truncated` are the kinds of edges of which there are more."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    truncated: Sequence[str]


def profile_graph(
    reader: GraphReader,
    user_id: str,
    *,
    depth: int,
    limit: int,
    held: Collection[str],
    model: GraphModel | None = None,
) -> Profile | None:
    """The graph around a user, the same from every graph store; None when the graph does not know them.

    Args:
        reader: The graph to ask, once per kind of relation and step.
        user_id: Whose profile it is.
        depth: How many steps to go from the user, at least one.
        limit: How many edges of each kind, at least one.
        held: The kinds of relations that this graph has: an older one may lack some that are declared.
        model: What is declared; the platform's own unless given.
    """
    declared = model or graph_model()
    label = declared.label(USER)
    start = reader.run(_node_query(label), {"key": user_id})
    if not start:
        return None
    around = _Around(reader, declared, limit)
    around.keep(label, start[0])
    for _ in range(depth):
        around.go_on(held)
    return Profile(tuple(around.nodes.values()), tuple(around.edges), tuple(around.truncated))


def followed(model: GraphModel) -> list[Relation]:
    """The relations that profile graphs are made of, in order of declaration."""
    return [relation for relation in model.relations if relation.profile is not None]


@dataclass
class _Around:
    """What has been found of one profile, and where to go on."""

    reader: GraphReader
    model: GraphModel
    limit: int
    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    edges: list[Edge] = field(default_factory=list[Edge])
    truncated: dict[str, None] = field(default_factory=dict[str, None])
    _new: dict[str, list[str]] = field(default_factory=dict[str, list[str]])  # keys by label
    _counted: dict[str, int] = field(default_factory=dict[str, int])  # edges by kind

    def keep(self, label: Label, row: Mapping[str, Any]) -> str:
        """Note the node whose properties a row carries; returns its id."""
        key = row[_NODE + _key(label)]
        another = label.label == USER and bool(self.nodes)
        told = {_key(label)} if another else label.properties
        properties = {name: row[_NODE + name] if name in told else None for name in label.properties}
        node = Node(f"{label.label}:{key}", label.label, properties)
        if node.id not in self.nodes:
            if not another:
                self._new.setdefault(label.label, []).append(key)
            self.nodes[node.id] = node
        return node.id

    def go_on(self, held: Collection[str]) -> None:
        """One step from the nodes that are new."""
        begin, self._new = self._new, {}
        for relation in followed(self.model):
            if relation.source in begin and relation.type in held:
                self._follow(relation, begin[relation.source])

    def _follow(self, relation: Relation, keys: Sequence[str]) -> None:
        source, target = self.model.label(relation.source), self.model.label(relation.target)
        left = self.limit - self._counted.get(relation.type, 0)
        asked = {"keys": list(keys), "most": left + 1}
        rows = self.reader.run(_edge_query(relation, _key(source), target), asked)
        if len(rows) > left:
            self.truncated[relation.type] = None
        for row in rows[:left]:
            properties = {name: row[_EDGE + name] for name in relation.properties}
            ends = f"{source.label}:{row['source']}", self.keep(target, row)
            self.edges.append(Edge(relation.type, *ends, properties))
        self._counted[relation.type] = self.limit - left + min(left, len(rows))


def _key(label: Label) -> str:
    return next(iter(label.properties))


def _node_query(label: Label) -> str:
    pattern = f"(n:{quoted(label.label)} {{{quoted(_key(label))}: $key}})"
    return f"MATCH {pattern} RETURN {_returned('n', label.properties, _NODE)}"


def _edge_query(relation: Relation, source_key: str, target: Label) -> str:
    first = ""
    if relation.profile and relation.profile.most:
        most = quoted(_EDGE + relation.profile.most)
        first = f"{most} IS NULL, {most} DESC, "  # engines do not agree where nulls belong
    returned = [_returned("n", target.properties, _NODE)]
    if relation.properties:
        returned.append(_returned("r", relation.properties, _EDGE))
    key = quoted(source_key)
    return (
        f"MATCH (s:{quoted(relation.source)})-[r:{quoted(relation.type)}]->(n:{quoted(relation.target)}) "
        f"WHERE s.{key} IN $keys RETURN s.{key} AS source, {', '.join(returned)} "
        f"ORDER BY {first}source, {quoted(_NODE + _key(target))} LIMIT $most"
    )


def _returned(variable: str, properties: Collection[str], prefix: str) -> str:
    return ", ".join(f"{variable}.{quoted(name)} AS {quoted(prefix + name)}" for name in properties)
