"""From tables to the knowledge graph: runs the declared SQL and holds its rows to the declared shape.

What makes one graph another is found in `changes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from marketing_platform.graph.model import RECORD_ID, GraphModel, Label, Relation, graph_model
from marketing_platform.stores.protocols import NodeSet, RelationSet

Query = Callable[[str], Iterable[pa.Table]]


def project_graph(
    query: Query, model: GraphModel | None = None
) -> tuple[Iterator[NodeSet], Iterator[RelationSet]]:
    """The nodes and the relations of the graph over the tables that `query` reaches.

    `query` runs SQL in DuckDB's dialect over the canonical tables and `user_campaign_engagement`, and
    gives the rows in chunks. Sets, one per chunk, are computed when they are asked for. ValueError when a
    query does not return the declared columns.
    """
    declared = model or graph_model()
    nodes = (one for label in declared.labels for one in node_sets(label, query(statement(label))))
    relations = (
        one
        for relation in declared.relations
        for one in relation_sets(declared, relation, query(statement(relation)))
    )
    return nodes, relations


def statement(declared: Label | Relation) -> str:
    """The declared SQL, ready to be run."""
    return declared.sql.format(record_id=RECORD_ID)


def node_sets(label: Label, chunks: Iterable[pa.Table]) -> Iterator[NodeSet]:
    """The sets of a label, at least one: that it is there is known even when nothing is of it."""
    for rows in _rows(chunks, label.arrow_schema, f"label {label.label}"):
        yield NodeSet(label.label, rows)


def relation_sets(model: GraphModel, relation: Relation, chunks: Iterable[pa.Table]) -> Iterator[RelationSet]:
    """The sets of a relation type, at least one."""
    for rows in _rows(chunks, model.schema_of(relation), f"relation {relation.type}"):
        yield RelationSet(relation.type, relation.source, relation.target, rows)


def _rows(chunks: Iterable[pa.Table], schema: pa.Schema, what: str) -> Iterator[pa.Table]:
    given = False
    for rows in chunks:
        if rows.column_names != schema.names:
            raise ValueError(
                f"{what}: its SQL returns the columns {rows.column_names}, declared are {schema.names}"
            )
        given = True
        yield rows.cast(schema)
    if not given:
        yield schema.empty_table()
