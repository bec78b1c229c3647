"""Rules across a declaration: names the catalog knows, options that fit a column's type.

Each finding names the key; `loading.py` turns it into a message with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from marketing_platform.catalog import Column, ColumnType, tables
from marketing_platform.declarations import Problem, one_of
from marketing_platform.sources.patterns import compiled
from marketing_platform.sources.spec import ColumnSpec, CsvFormat, SourceSpec

_NUMERIC = frozenset({ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.MONEY})
_UNITS = {ColumnType.MONEY: ("micros", "cents"), ColumnType.TIMESTAMP: ("seconds", "milliseconds")}


def inconsistencies(data: Mapping[str, Any], spec: SourceSpec | None) -> Iterator[Problem]:
    """What is wrong across keys; `spec` is None when the shape is wrong already."""
    yield from _unknown_names(data)
    if spec is None:
        return
    for index, pattern in enumerate(spec.path):
        try:
            compiled(pattern)
        except re.error as error:
            where = ("path", index) if isinstance(data["path"], list) else ("path",)
            yield Problem(where, "a pattern", f"{pattern!r} ({error})")
    for table_name, table_spec in spec.tables.items():
        if table_name not in tables():
            continue
        table = tables()[table_name]
        for column_name, column_spec in table_spec.columns.items():
            if column_name in table.column_names:
                path = ("tables", table_name, "columns", column_name)
                yield from _misfits(path, table.column(column_name), column_spec)
                yield from _undeclared_fields(path, column_spec, spec)
        for index, column_name in enumerate(table_spec.skip_when_missing):
            if column_name not in table_spec.columns:
                path = ("tables", table_name, "skip_when_missing", index)
                yield Problem(path, f"one of {', '.join(table_spec.columns)}", repr(column_name))


def _unknown_names(data: Mapping[str, Any]) -> Iterator[Problem]:
    declared = data.get("tables")
    for table_name, table_data in declared.items() if isinstance(declared, Mapping) else ():
        if table_name not in tables():
            yield Problem(("tables", table_name), *one_of(table_name, tables()))
            continue
        columns = table_data.get("columns") if isinstance(table_data, Mapping) else None
        table = tables()[table_name]
        for column_name in columns if isinstance(columns, Mapping) else ():
            if column_name not in table.column_names:
                path = ("tables", table_name, "columns", column_name)
                yield Problem(path, *one_of(column_name, table.column_names))


def _misfits(path: tuple[str, ...], column: Column, spec: ColumnSpec) -> Iterator[Problem]:
    """Options that say nothing about a column of this type."""
    kind = column.type
    units = _UNITS.get(kind, ())
    if spec.unit is not None and spec.unit not in units:
        expected = f"one of {', '.join(units)} for {kind}" if units else f"no unit for {kind}"
        yield Problem((*path, "unit"), expected, repr(spec.unit))
    if spec.format is not None:
        yield from _wrong_formats((*path, "format"), kind, spec.format)
    if spec.format is not None and spec.unit is not None:
        yield Problem((*path, "unit"), "either format or unit", "both")
    if kind not in _NUMERIC and (spec.thousands is not None or spec.decimal != "."):
        key = "thousands" if spec.thousands is not None else "decimal"
        yield Problem((*path, key), f"no {key} separator for {kind}", "one")
    if spec.per is not None and kind is not ColumnType.MONEY:
        yield Problem((*path, "per"), f"this only for money, not for {kind}", repr(spec.per))
    if spec.drop_decimal_zeros and kind is not ColumnType.STRING:
        yield Problem((*path, "drop_decimal_zeros"), f"this only for string, not for {kind}", "true")


def _wrong_formats(path: tuple[str, ...], kind: ColumnType, formats: Iterable[str]) -> Iterator[Problem]:
    if kind not in (ColumnType.DATE, ColumnType.TIMESTAMP):
        yield Problem(path, f"no format for {kind}", "one")
        return
    for text in formats:
        if refusal := _refused_format(text):
            yield Problem(path, "a strptime format", f"{text!r} ({refusal})")
        elif "%" not in text:
            yield Problem(path, "a strptime format such as %d/%m/%Y", repr(text))


@lru_cache(maxsize=256)  # an engine takes longer to start than all else that is looked at here
def _refused_format(text: str) -> str | None:
    """What the engine that will parse says against a format; None when it takes it."""
    import duckdb  # only declarations with a format pay the import

    with duckdb.connect() as engine:
        try:
            engine.execute("SELECT try_strptime('2000', ?)", [text]).fetchall()
        except duckdb.Error as error:
            return str(error).splitlines()[0]
    return None


def _undeclared_fields(path: tuple[str, ...], column: ColumnSpec, spec: SourceSpec) -> Iterator[Problem]:
    """Without a header line the declaration itself must name every field."""
    if not isinstance(spec.format, CsvFormat) or spec.format.header is True:
        return
    for name in column.fields:
        if name not in spec.format.header:
            yield Problem(path, f"a field of format.header ({', '.join(spec.format.header)})", repr(name))
