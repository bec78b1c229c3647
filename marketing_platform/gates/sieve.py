"""Which rows a rule lets through for certain, told without Great Expectations.

A sieve may only err on one side: rows that it leaves are judged by Great Expectations, which alone says
that a row breaks a rule (`engine.py`). It knows the plain forms of the expectations that rules are
mostly made of; of any other form, type of column or argument it leaves every row.
`marketing_platform_tests/gates/test_sieve.py` holds it against the library.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from marketing_platform.gates.suites import Rule

_PARAMETER = "$PARAMETER"
_Sieve = Callable[[pa.Table, Mapping[str, Any]], pa.Array | None]


def left_over(rules: Iterable[Rule], rows: pa.Table, parameters: Mapping[str, Any]) -> pa.BooleanArray | None:
    """Which of `rows` some rule may not let through; None when that may be any of them."""
    left = pa.repeat(pa.scalar(False), rows.num_rows)
    for rule in rules:
        sieve = _SIEVES.get(rule.type)
        of_rule = sieve(rows, _filled(rule.kwargs, parameters)) if sieve else None
        if of_rule is None:
            return None
        left = pc.or_(left, pc.fill_null(of_rule, True))
    return left


def _filled(kwargs: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the parameters that they name."""
    return {
        name: parameters.get(value.get(_PARAMETER)) if isinstance(value, dict) else value
        for name, value in kwargs.items()
    }


def _column(rows: pa.Table, kwargs: Mapping[str, Any], *known: str) -> pa.Array | None:
    """The column that the rule looks at; None when it says more than is known here, or of nothing there."""
    name = kwargs.get("column")
    if name not in rows.column_names or not kwargs.keys() <= {"column", *known}:
        return None
    column = rows[name].combine_chunks()
    return column.cast(pa.float64()) if pt.is_decimal(column.type) else column  # as `engine.py` sees it


def _missing(rows: pa.Table, kwargs: Mapping[str, Any]) -> pa.Array | None:
    column = _column(rows, kwargs)
    return None if column is None else pc.is_null(column, nan_is_null=True)


def _too_long(rows: pa.Table, kwargs: Mapping[str, Any]) -> pa.Array | None:
    column, most = _column(rows, kwargs, "max_value"), kwargs.get("max_value")
    if column is None or not pt.is_string(column.type) or type(most) is not int:
        return None
    # A text has at least as many bytes as characters.
    return pc.fill_null(pc.greater(pc.binary_length(column), most), False)


def _out_of_range(rows: pa.Table, kwargs: Mapping[str, Any]) -> pa.Array | None:
    column = _column(rows, kwargs, "min_value", "max_value", "strict_min", "strict_max")
    if column is None:
        return None
    out = pa.repeat(pa.scalar(False), len(column))
    for name, strict, beyond in (
        ("min_value", kwargs.get("strict_min"), (pc.less, pc.less_equal)),
        ("max_value", kwargs.get("strict_max"), (pc.greater, pc.greater_equal)),
    ):
        limit = _limit(kwargs[name], column.type) if name in kwargs else None
        if limit is not None:
            out = pc.or_(out, pc.fill_null(beyond[strict is True](_comparable(column), limit), False))
        elif name in kwargs or strict:
            return None
    return out


def _limit(value: Any, kind: pa.DataType) -> pa.Scalar | None:
    """What a column of that type is compared with, where both are of one kind."""
    if pt.is_integer(kind):
        return pa.scalar(value, pa.int64()) if type(value) is int and abs(value) < 1 << 63 else None
    if pt.is_floating(kind):
        return pa.scalar(float(value)) if type(value) in (int, float) else None
    if not (pt.is_date(kind) or (pt.is_timestamp(kind) and kind.tz == "UTC")):
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return None
    return pa.scalar(moment, pa.timestamp("us", tz="UTC"))


def _comparable(column: pa.Array) -> pa.Array:
    return column.cast(pa.timestamp("us", tz="UTC")) if pt.is_date(column.type) else column


def _not_in_set(rows: pa.Table, kwargs: Mapping[str, Any]) -> pa.Array | None:
    found = _in_set(rows, kwargs)
    return None if found is None else pc.and_not(rows[kwargs["column"]].combine_chunks().is_valid(), found)


def _in_set(rows: pa.Table, kwargs: Mapping[str, Any]) -> pa.Array | None:
    column, values = _column(rows, kwargs, "value_set"), kwargs.get("value_set")
    if column is None or not isinstance(values, list) or not values:
        return None
    if pt.is_string(column.type) and all(isinstance(value, str) for value in values):
        return pc.is_in(column, value_set=pa.array(values, pa.string()))
    if pt.is_integer(column.type) and all(type(value) is int for value in values):
        return pc.is_in(column, value_set=pa.array(values, pa.int64()))
    return None


def _no_match(rows: pa.Table, kwargs: Mapping[str, Any]) -> pa.Array | None:
    column, regex = _column(rows, kwargs, "regex"), kwargs.get("regex")
    if column is None or not pt.is_string(column.type) or not isinstance(regex, str):
        return None
    try:
        pattern = re.compile(regex)
    except re.error:
        return None
    texts = column.dictionary_encode()
    fails = pa.array([pattern.search(text) is None for text in texts.dictionary.to_pylist()], pa.bool_())
    return pc.fill_null(fails.take(texts.indices), False)


def _not_greater(rows: pa.Table, kwargs: Mapping[str, Any]) -> pa.Array | None:
    match kwargs:
        case {"column_A": str(a), "column_B": str(b), "ignore_row_if": "either_value_is_missing", **rest}:
            if not rest.keys() <= {"or_equal"} or not {a, b} <= set(rows.column_names):
                return None
        case _:
            return None
    kind = rows[a].type
    if kind != rows[b].type or not (pt.is_temporal(kind) or pt.is_integer(kind) or pt.is_floating(kind)):
        return None
    fails = pc.less if kwargs.get("or_equal") is True else pc.less_equal
    return pc.fill_null(fails(rows[a].combine_chunks(), rows[b].combine_chunks()), False)


_SIEVES: Mapping[str, _Sieve] = {
    "expect_column_values_to_not_be_null": _missing,
    "expect_column_value_lengths_to_be_between": _too_long,
    "expect_column_values_to_be_between": _out_of_range,
    "expect_column_values_to_be_in_set": _not_in_set,
    "expect_column_values_to_not_be_in_set": _in_set,
    "expect_column_values_to_match_regex": _no_match,
    "expect_column_pair_values_a_to_be_greater_than_b": _not_greater,
}
