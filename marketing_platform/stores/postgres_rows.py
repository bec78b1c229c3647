"""Rows between Arrow and PostgreSQL: types, CSV for COPY, and results.

Money is `numeric(p, s)` and exact both ways. Text sorts by its bytes, as in DuckDB. A vector (a
list of float32 of fixed size) is stored as the bytes of its floats, because no query looks into
it; a map of strings is JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import orjson
import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv

_WIDEST = 38  # digits of an Arrow decimal
_CSV = pa_csv.WriteOptions(include_header=False, quoting_style="needed")

_SQL_TYPES: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): 'text COLLATE "C"',
    pa.large_string(): 'text COLLATE "C"',
    pa.binary(): "bytea",
    pa.date32(): "date",
    pa.timestamp("us", tz="UTC"): "timestamptz",
    pa.timestamp("us"): "timestamp",
}
_MAP = pa.map_(pa.string(), pa.string())
_ARROW_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "timestamp": pa.timestamp("us"),
    "jsonb": _MAP,
}


def sql_type(type_: pa.DataType) -> str:
    """What a column of this Arrow type is in PostgreSQL; TypeError when no column can hold it."""
    if pa.types.is_decimal(type_):
        return f"numeric({type_.precision}, {type_.scale})"
    if is_vector(type_):
        return "bytea"
    if pa.types.is_map(type_):
        return "jsonb"
    try:
        return _SQL_TYPES[type_]
    except KeyError:
        raise TypeError(f"the warehouse cannot store a column of {type_}; cast it before") from None


def is_vector(type_: pa.DataType) -> bool:
    """Whether a column of this type holds vectors."""
    return pa.types.is_fixed_size_list(type_) and type_.value_type == pa.float32()


def to_csv(rows: pa.Table) -> memoryview:
    """The rows as PostgreSQL's COPY reads them: text is quoted, NULL is empty and not quoted."""
    columns = [_as_text(rows.column(field.name), field.type) for field in rows.schema]
    sink = BytesIO()
    pa_csv.write_csv(pa.table(columns, names=rows.schema.names), sink, _CSV)
    return sink.getbuffer()


def _as_text(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | pa.Array:
    """A column that CSV can hold."""
    if pa.types.is_map(type_):
        maps = (None if value is None else orjson.dumps(dict(value)).decode() for value in column.to_pylist())
        return pa.array(maps, pa.string())
    if is_vector(type_):
        return pa.array(_hexadecimal(column, type_.list_size * 4), pa.string())
    if type_ == pa.binary():
        return pa.array(
            (None if value is None else "\\x" + value.hex() for value in column.to_pylist()), pa.string()
        )
    return column


def _hexadecimal(vectors: pa.ChunkedArray, width: int) -> Iterable[str | None]:
    known = vectors.is_valid().to_pylist()
    if not all(known):
        raise ValueError("a vector may not be null; leave its row out")
    content = np.ascontiguousarray(vectors.combine_chunks().flatten().to_numpy(zero_copy_only=False), "<f4")
    flat = content.tobytes().hex()
    return ["\\x" + flat[start : start + 2 * width] for start in range(0, len(flat), 2 * width)]


class ResultShape:
    """The Arrow types of a result; those of decimals without declared digits follow the first rows."""

    def __init__(self, columns: Sequence[psycopg.Column], vectors: Mapping[str, pa.DataType]) -> None:
        self._names = [column.name for column in columns]
        self._types = [vectors.get(column.name) or _arrow_type(column) for column in columns]

    def table(self, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
        """Rows as PostgreSQL's client gives them, as a table."""
        by_column = zip(*rows, strict=True) if rows else ((),) * len(self._names)
        arrays = [self._array(position, values) for position, values in enumerate(by_column)]
        return pa.table(arrays, names=self._names)

    def _array(self, position: int, values: Sequence[Any]) -> pa.Array:
        type_ = self._types[position]
        if type_ is None:
            type_ = self._types[position] = _decimal_of(values)
        return _ARRAYS.get(type_.id, _plain)(values, type_)


def _plain(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    return pa.array(values, type_)


def _map_array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    return pa.array([None if value is None else list(value.items()) for value in values], type_)


def _vector_array(values: Sequence[bytes], type_: pa.DataType) -> pa.Array:
    floats = np.frombuffer(b"".join(values), "<f4")
    return pa.FixedSizeListArray.from_arrays(pa.array(floats, pa.float32()), type_.list_size)


_ARRAYS: dict[int, Callable[[Sequence[Any], pa.DataType], pa.Array]] = {
    _MAP.id: _map_array,
    pa.list_(pa.float32(), 1).id: _vector_array,
}


def _arrow_type(column: psycopg.Column) -> pa.DataType | None:
    name = psycopg.adapters.types[column.type_code].name
    if name == "numeric":
        if column.precision is None or column.scale is None:
            return None
        return pa.decimal128(column.precision, column.scale)
    try:
        return _ARROW_TYPES[name]
    except KeyError:
        raise TypeError(f"column {column.name!r}: no column type for {name}; cast it in the query") from None


def _decimal_of(values: Iterable[Decimal | None]) -> pa.DataType:
    """PostgreSQL's sums and products carry as many decimals as their parts, so any row tells the scale."""
    scales = [-int(value.as_tuple().exponent) for value in values if value is not None and value.is_finite()]
    return pa.decimal128(_WIDEST, max(0, *scales)) if scales else pa.decimal128(_WIDEST, 0)
