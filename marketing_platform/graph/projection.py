"""From tables to the knowledge graph: runs the declared SQL and holds its rows to the declared shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from marketing_platform.graph.model import RECORD_ID, GraphModel, graph_model
from marketing_platform.stores.protocols import NodeSet, RelationSet

Query = Callable[[str], pa.Table]


def project_graph(
    query: Query, model: GraphModel | None = None
) -> tuple[Iterator[NodeSet], Iterator[RelationSet]]:
    """The nodes and the relations of the graph over the tables that `query` reaches.

    `query` runs SQL in DuckDB's dialect over the canonical tables and `user_campaign_engagement`.
    Sets are computed one at a time, when they are asked for. ValueError when a query does not
    return the declared columns.
    """
    declared = model or graph_model()
    return _nodes(query, declared), _relations(query, declared)


def _nodes(query: Query, model: GraphModel) -> Iterator[NodeSet]:
    for label in model.labels:
        yield NodeSet(label.label, _rows(query, label.sql, label.arrow_schema, f"label {label.label}"))


def _relations(query: Query, model: GraphModel) -> Iterator[RelationSet]:
    for relation in model.relations:
        rows = _rows(query, relation.sql, model.schema_of(relation), f"relation {relation.type}")
        yield RelationSet(relation.type, relation.source, relation.target, rows)


def _rows(query: Query, sql: str, schema: pa.Schema, what: str) -> pa.Table:
    rows = query(sql.format(record_id=RECORD_ID))
    if rows.column_names != schema.names:
        raise ValueError(
            f"{what}: its SQL returns the columns {rows.column_names}, declared are {schema.names}"
        )
    return rows.cast(schema)
