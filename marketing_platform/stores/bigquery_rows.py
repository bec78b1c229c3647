"""Rows between Arrow and BigQuery: columns, Parquet for load jobs, parameters and results.

What a query's result looks like is decided by DuckDB, whose dialect the query is in: it is asked with
empty tables. BigQuery knows one size of integers and of floats and one unbounded NUMERIC, so that its
own answer would differ from the other engines'. A vector is an array of FLOAT64, which holds every
float32; a map is an array of (key, value).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter, SchemaField

from marketing_platform.stores.protocols import Select

# NUMERIC: 29 digits before the point and 9 behind it; BIGNUMERIC: 38 and 38.
_NUMERIC = (29, 9)
_BIGNUMERIC = (38, 38)

_SQL_TYPES: dict[pa.DataType, str] = {
    pa.bool_(): "BOOL",
    pa.int8(): "INT64",
    pa.int16(): "INT64",
    pa.int32(): "INT64",
    pa.int64(): "INT64",
    pa.float32(): "FLOAT64",
    pa.float64(): "FLOAT64",
    pa.string(): "STRING",
    pa.large_string(): "STRING",
    pa.binary(): "BYTES",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP",
    pa.timestamp("us"): "DATETIME",
}
_ENTRIES = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
# The first that fits; a bool is an int to Python, and a datetime a date.
_PARAMETERS: tuple[tuple[type, str], ...] = (
    (bool, "BOOL"),
    (int, "INT64"),
    (float, "FLOAT64"),
    (Decimal, "BIGNUMERIC"),
    (str, "STRING"),
    (bytes, "BYTES"),
    (datetime, "TIMESTAMP"),
    (date, "DATE"),
)


def column(field: pa.Field) -> SchemaField:
    """What a column is in BigQuery; TypeError when no column can hold it."""
    if pa.types.is_map(field.type):
        entries = (SchemaField("key", "STRING"), SchemaField("value", "STRING"))
        return SchemaField(field.name, "RECORD", mode="REPEATED", fields=entries)
    if _is_vector(field.type):
        return SchemaField(field.name, "FLOAT64", mode="REPEATED")
    if pa.types.is_decimal(field.type):
        kind, precision, scale = _decimal(field.type)
        return SchemaField(field.name, kind, precision=precision, scale=scale)
    return SchemaField(field.name, _sql_type(field.type))


def stored_as(field: pa.Field, expression: str) -> str:
    """An expression as SQL that gives exactly the type of this column."""
    if pa.types.is_nested(field.type):
        return expression
    if pa.types.is_decimal(field.type):
        kind, precision, scale = _decimal(field.type)
        return f"CAST({expression} AS {kind}({precision}, {scale}))"
    return f"CAST({expression} AS {_sql_type(field.type)})"


def null(field: pa.Field) -> str:
    """SQL for no value of this type."""
    if pa.types.is_map(field.type):
        return "ARRAY<STRUCT<key STRING, value STRING>>[]"
    if _is_vector(field.type):
        return "ARRAY<FLOAT64>[]"
    return stored_as(field, "NULL")


def _sql_type(type_: pa.DataType) -> str:
    try:
        return _SQL_TYPES[type_]
    except KeyError:
        raise TypeError(f"the warehouse cannot store a column of {type_}; cast it before") from None


def _decimal(type_: pa.DataType) -> tuple[str, int, int]:
    """(kind, precision, scale); what has more digits than BigQuery's widest is refused when it comes."""
    whole, scale = type_.precision - type_.scale, type_.scale
    kind, (most, _) = ("NUMERIC", _NUMERIC) if scale <= _NUMERIC[1] else ("BIGNUMERIC", _BIGNUMERIC)
    return kind, max(1, min(whole, most) + scale), scale


def _is_vector(type_: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(type_) and type_.value_type == pa.float32()


def to_stored(rows: pa.Table) -> pa.Table:
    """The rows with the types that Parquet and BigQuery share; ValueError for a vector that is null."""
    arrays = [_to_stored(rows.column(field.name), field) for field in rows.schema]
    return pa.table(arrays, names=rows.schema.names)


def _to_stored(values: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if _is_vector(field.type):
        if values.null_count:
            raise ValueError(f"column {field.name!r}: a vector may not be null; leave its row out")
        return values.cast(pa.list_(pa.float64()))
    if pa.types.is_decimal(field.type):
        _, precision, scale = _decimal(field.type)
        return values.cast(pa.decimal128(precision, scale))
    if not pa.types.is_map(field.type):
        return values
    return pa.chunked_array([_entries(chunk) for chunk in values.chunks], _ENTRIES)


def _entries(maps: pa.MapArray) -> pa.Array:
    return pa.array(
        (
            None if entries is None else [{"key": key, "value": value} for key, value in entries]
            for entries in maps.to_pylist()
        ),
        _ENTRIES,
    )


def parameters(values: Mapping[str, Any]) -> list[ScalarQueryParameter | ArrayQueryParameter]:
    """Values that a statement names with `@name`; TypeError for what BigQuery cannot be given."""
    return [_parameter(name, value) for name, value in values.items()]


def _parameter(name: str, value: Any) -> ScalarQueryParameter | ArrayQueryParameter:
    if isinstance(value, list | tuple):
        inner: Sequence[Any] = value
        return ArrayQueryParameter(name, _parameter_type(name, inner[0]) if inner else "STRING", list(inner))
    return ScalarQueryParameter(name, _parameter_type(name, value), value)


def _parameter_type(name: str, value: Any) -> str:
    if value is None:
        return "STRING"
    for type_, kind in _PARAMETERS:
        if isinstance(value, type_):
            return "DATETIME" if isinstance(value, datetime) and value.tzinfo is None else kind
    raise TypeError(f"parameter ${name}: {type(value).__name__} cannot be bound")


def result_schema(select: Select) -> pa.Schema:
    """What the query returns, as DuckDB says of it, without a row; its errors are those of the query."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in select.tables:
            connection.register(table.name, table.schema.empty_table())
        asked = connection.sql(select.sql, params=dict(select.parameters))
        return asked.to_arrow_table().schema


def to_result(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """BigQuery's rows as a table of this schema; columns are taken by position."""
    if not rows.num_rows:
        return schema.empty_table()
    arrays = [_to_result(values, field.type) for values, field in zip(rows.columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _to_result(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | pa.Array:
    for fits, convert in _CONVERSIONS:
        if fits(type_):
            return convert(values.combine_chunks(), type_)
    return values.cast(type_)


def _to_map(entries: pa.ListArray, type_: pa.DataType) -> pa.Array:
    rows: Iterable[list[dict[str, str]] | None] = entries.to_pylist()
    return pa.array(
        [None if row is None else [(entry["key"], entry["value"]) for entry in row] for row in rows], type_
    )


def _to_vectors(floats: pa.ListArray, type_: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(floats.flatten().cast(pa.float32()), type_.list_size)


_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], pa.Array]], ...] = (
    (pa.types.is_map, _to_map),
    (_is_vector, _to_vectors),
)
