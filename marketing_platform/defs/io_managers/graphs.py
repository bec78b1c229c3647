"""Property graphs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from marketing_platform.defs.io_managers.reuse import KeepingIOManager
from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name
from marketing_platform.defs.metadata import markdown_table
from marketing_platform.stores.protocols import GraphChanges, Graphs, NodeSet, RelationSet


@dataclass(frozen=True)
class KnowledgeGraph:
    """A graph to store, set by set, or what makes the one stored before just this one."""

    nodes: Iterable[NodeSet]
    relations: Iterable[RelationSet]
    changes: GraphChanges | None = None


class GraphIOManager(KeepingIOManager):
    """Stores a `KnowledgeGraph`; loads its name, since graphs are asked where they are."""

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs

    def store(self, context: dg.OutputContext, obj: KnowledgeGraph) -> None:
        """Write the graph and show what it holds."""
        name = output_name(context)
        counts = self._graphs.write(name, obj.nodes, obj.relations, changes=obj.changes)
        rows = [("node", label, number) for label, number in counts.nodes.items()]
        rows += [("relation", kind, number) for kind, number in counts.relations.items()]
        context.add_output_metadata(
            {
                NAME: name,
                "nodes": sum(counts.nodes.values()),
                "edges": sum(counts.relations.values()),
                "contents": markdown_table(["", "type", "count"], rows),
            }
        )

    def holds(self, name: str) -> bool:
        """Whether the store has it."""
        return name in self._graphs.names()

    def load_input(self, context: dg.InputContext) -> str:
        """The name of the upstream graph."""
        return input_name(context)
