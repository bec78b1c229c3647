"""What makes one knowledge graph another: found in the tables that both are made of, never in a store.

The model stays the same in between; whoever asks makes sure of that. A graph of which nodes are gone is to
be built whole: an erased user must leave no trace, and stores only mark what they delete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import sqlglot
from sqlglot import exp

from marketing_platform.graph.model import GraphModel, Label, Relation, graph_model
from marketing_platform.graph.projection import node_sets, relation_sets, statement
from marketing_platform.stores.protocols import GraphChanges, NodeSet, RelationSet, StoredTable, TableRef

# Runs SQL in DuckDB's dialect over tables, and gives the rows in chunks.
Ask = Callable[[str, Sequence[TableRef]], Iterable[pa.Table]]
Tables = Mapping[str, StoredTable]

_BEFORE = "before_"


def graph_changes(
    ask: Ask, now: Tables, before: Tables, *, base: str, model: GraphModel | None = None
) -> GraphChanges | None:
    """How the graph over the tables `now` differs from `base`, which was made of the tables `before`.

    Costs in proportion to what changed where each row gives one node or relation by itself (`rows_of`). Of
    other nodes, all are compared; other relations are given anew, all of a type, when a table they are made
    of is another. None when nodes of `base` are gone.
    """
    found = _Changes(ask, now, before, model or graph_model())
    return found.against(base) if found.nothing_gone() else None


@dataclass(frozen=True)
class _Changes:
    ask: Ask
    now: Tables
    before: Tables
    model: GraphModel

    def against(self, base: str) -> GraphChanges:
        renewed = [one for one in self.model.relations if not one.rows_of and self._touched(one)]
        return GraphChanges(
            base=base,
            added_nodes=self._nodes(self.model.labels, self._added),
            changed_nodes=self._nodes(self._compared, self._changed),
            added_relations=self._relations(
                [one for one in self.model.relations if one.rows_of], self._of_new_rows
            ),
            renewed_relations=self._relations(renewed, self._all),
        )

    def nothing_gone(self) -> bool:
        """Whether every node of the base is still there."""
        for name in {one.rows_of for one in (*self.model.labels, *self.model.relations) if one.rows_of}:
            if not set(self.before[name].ref.parts) <= set(self.now[name].ref.parts):
                return False
        return not any(rows.num_rows for label in self._compared for rows in self._gone(label))

    @cached_property
    def _compared(self) -> list[Label]:
        return [label for label in self.model.labels if not label.rows_of and self._touched(label)]

    def _nodes(
        self, labels: Sequence[Label], rows: Callable[[Label], Iterable[pa.Table]]
    ) -> Iterator[NodeSet]:
        return (one for label in labels for one in node_sets(label, rows(label)))

    def _relations(
        self, relations: Sequence[Relation], rows: Callable[[Relation], Iterable[pa.Table]]
    ) -> Iterator[RelationSet]:
        return (one for each in relations for one in relation_sets(self.model, each, rows(each)))

    def _touched(self, declared: Label | Relation) -> bool:
        """Whether a table that the declared SQL reads has other rows than before."""
        return any(
            self.now[name].fingerprint != self.before[name].fingerprint
            or self.now[name].rows != self.before[name].rows
            for name in _tables_in(statement(declared))
        )

    def _of_new_rows(self, declared: Label | Relation) -> Iterable[pa.Table]:
        """What the rows give that were not there before."""
        name = str(declared.rows_of)
        ref, known = self.now[name].ref, set(self.before[name].ref.parts)
        new = tuple(part for part in ref.parts if part not in known)
        others = (self.now[other].ref for other in _tables_in(statement(declared)) if other != name)
        return self.ask(statement(declared), [replace(ref, parts=new), *others]) if new else ()

    def _all(self, declared: Relation) -> Iterable[pa.Table]:
        sql = statement(declared)
        return self.ask(sql, [self.now[name].ref for name in _tables_in(sql)])

    def _added(self, label: Label) -> Iterable[pa.Table]:
        if label.rows_of:
            return self._of_new_rows(label)
        if label not in self._compared:
            return ()
        key = _key(label)
        return self._compare(
            label,
            f"SELECT n.* FROM ({{now}}) AS n LEFT JOIN ({{before}}) AS b ON b.{key} = n.{key}"  # noqa: S608 -- our own names
            f" WHERE b.{key} IS NULL",
        )

    def _changed(self, label: Label) -> Iterable[pa.Table]:
        key = _key(label)
        return self._compare(
            label,
            "SELECT n.* FROM (SELECT * FROM ({now}) AS a EXCEPT SELECT * FROM ({before}) AS c) AS n"  # noqa: S608
            f" JOIN ({{before}}) AS b ON b.{key} = n.{key}",
        )

    def _gone(self, label: Label) -> Iterable[pa.Table]:
        key = _key(label)
        return self._compare(
            label,
            f"SELECT b.{key} FROM ({{before}}) AS b LEFT JOIN ({{now}}) AS n ON n.{key} = b.{key}"  # noqa: S608 -- our own names
            f" WHERE n.{key} IS NULL LIMIT 1",
        )

    def _compare(self, label: Label, sql: str) -> Iterable[pa.Table]:
        """Run SQL over what the declared SQL gives `{now}` and what it gave `{before}`."""
        declared = statement(label)
        names = sorted(_tables_in(declared))
        shadows = ", ".join(f"{name} AS (SELECT * FROM {_BEFORE}{name})" for name in names)  # noqa: S608 -- our own names
        earlier = [replace(self.before[name].ref, name=f"{_BEFORE}{name}") for name in names]
        both = sql.format(now=declared, before=f"WITH {shadows} {declared}")
        return self.ask(both, [*(self.now[name].ref for name in names), *earlier])


def _key(label: Label) -> str:
    return next(iter(label.properties))


def _tables_in(sql: str) -> frozenset[str]:
    """The tables that a query reads."""
    parsed = sqlglot.parse_one(sql, dialect="duckdb")
    of_its_own = {one.alias for one in parsed.find_all(exp.CTE)}
    return frozenset(table.name for table in parsed.find_all(exp.Table)) - of_its_own
