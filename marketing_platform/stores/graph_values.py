"""The types that graph stores keep: one definition, so that every graph store answers alike.

How a store declares or sends them is its own business.
"""

from __future__ import annotations

import pyarrow as pa

from marketing_platform.stores.protocols import RELATION_ENDS, RelationSet

MOMENT = pa.timestamp("us", tz="UTC")
KINDS = (pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), MOMENT)


def storable(rows: pa.Table, what: str) -> pa.Table:
    """The rows in types that graph stores keep and compute with; none adds up decimals.

    ValueError, starting with `what`, for a column of any other type.
    """
    fields = [pa.field(field.name, _stored_type(field, what)) for field in rows.schema]
    for position, field in enumerate(rows.schema):
        if pa.types.is_decimal(field.type):
            # By way of text: Arrow's own cast from decimal to double is off in the last digit.
            rows = rows.set_column(position, field.name, rows.column(position).cast(pa.string()))
    return rows.cast(pa.schema(fields))


def storable_relations(relations: RelationSet) -> tuple[pa.Table, str]:
    """The rows of a relation set as `storable` gives them, and what to call the set in messages."""
    what = f"relations ({relations.source})-[{relations.type}]->({relations.target})"
    if relations.rows.column_names[:2] != list(RELATION_ENDS):
        raise ValueError(
            f"{what}: the first columns must be {RELATION_ENDS}, not {relations.rows.column_names[:2]}"
        )
    return storable(relations.rows, what), what


def quoted(name: str) -> str:
    """The name of a label, relation type or property as Cypher text."""
    if not name.isidentifier():
        raise ValueError(f"{name!r} is not a name for a label, relation type or property")
    return f"`{name}`"


def _stored_type(field: pa.Field, what: str) -> pa.DataType:
    kind = field.type
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return MOMENT
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_integer(kind):
        return pa.int64()
    if kind in KINDS:
        return kind
    raise ValueError(
        f"{what}: column {field.name} has the type {kind}; there are {', '.join(map(str, KINDS))}"
    )
