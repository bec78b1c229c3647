"""How the text of a cell becomes a typed value: DuckDB expressions, one per declared column.

Every expression is total: what cannot be read is NULL, nothing raises. Which rows exist and what
is reported about them belongs to `projection.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from marketing_platform.catalog import Column, ColumnType
from marketing_platform.sources.spec import PLACEHOLDER, ColumnSpec

# What counts as blank around a text: ASCII blanks, no-break space, ideographic space, byte order mark.
BLANKS = " \t\r\n\v\f\u00a0\u3000\ufeff"

_FIRST_DAY = "DATE '1900-01-01'"
_LAST_DAY = "DATE '2200-12-31'"
_EARLIEST = "TIMESTAMPTZ '1900-01-01 00:00:00+00'"
_LATEST = "TIMESTAMPTZ '2200-12-31 23:59:59.999999+00'"
_ISO_DAY = r"\d{4}-\d{1,2}-\d{1,2}"
_ISO_TIME = r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?"
_TRUE = "('true', 't', 'yes', 'y', '1')"
_FALSE = "('false', 'f', 'no', 'n', '0')"
# How many of the declared unit make one unit of money, and one second.
_PARTS = {"micros": 1_000_000, "cents": 100, "seconds": 1, "milliseconds": 1000}


@dataclass(frozen=True)
class Cell:
    """SQL of one column: its text (NULL when missing) and its value (NULL when missing or unreadable)."""

    text: str
    value: str
    may_fail: bool


def cell(column: Column, spec: ColumnSpec, texts: Mapping[str, str], timezone: str) -> Cell:
    """The expressions of `column`; `texts` has the SQL name of each field's trimmed text."""
    text = _origin(spec, texts)
    if spec.drop_decimal_zeros:
        text = rf"regexp_replace({text}, '^([+-]?\d+)\.0+$', '\1')"
    replaced = _mapped(spec, text)
    # `otherwise: missing` makes a text that the map lacks a missing one; else it stays there to be blamed.
    present = replaced if spec.otherwise == "missing" else text
    may_fail = column.type is not ColumnType.STRING or spec.otherwise == "unreadable"
    count = None if spec.per is None else texts[spec.per]
    return Cell(present, _typed(column.type, spec, replaced, count, timezone), may_fail)


def quoted(text: str) -> str:
    """The text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _origin(spec: ColumnSpec, texts: Mapping[str, str]) -> str:
    if spec.constant is not None:
        return quoted(spec.constant)
    if spec.template is None:
        return texts[spec.fields[0]]
    # `||` is NULL as soon as one part is.
    parts = PLACEHOLDER.split(spec.template)
    pieces = [texts[part] if index % 2 else quoted(part) for index, part in enumerate(parts) if part]
    return f"({' || '.join(pieces)})"


def _mapped(spec: ColumnSpec, text: str) -> str:
    if spec.map is None:
        return text
    cases = " ".join(f"WHEN {quoted(found)} THEN {quoted(value)}" for found, value in spec.map.items())
    return f"(CASE {text} {cases} ELSE {text if spec.otherwise == 'keep' else 'NULL'} END)"


def _typed(kind: ColumnType, spec: ColumnSpec, text: str, count: str | None, timezone: str) -> str:
    match kind:
        case ColumnType.STRING:
            value = text
        case ColumnType.INTEGER:
            digits = _number(spec, text, fraction="0*", exponent="")
            value = f"TRY_CAST(split_part({digits}, '.', 1) AS BIGINT)"
        case ColumnType.NUMBER:
            number = f"TRY_CAST({_number(spec, text)} AS DOUBLE)"
            value = f"(CASE WHEN isfinite({number}) THEN {number} END)"
        case ColumnType.MONEY:
            value = _money(spec, text) if count is None else _each(spec, _money(spec, text), count)
        case ColumnType.BOOLEAN:
            word = f"lower({text})"
            value = f"(CASE WHEN {word} IN {_TRUE} THEN true WHEN {word} IN {_FALSE} THEN false END)"
        case ColumnType.DATE:
            day = _formatted(spec, text, timezone, as_date=True) if spec.format else _iso_day(text)
            value = f"(CASE WHEN {day} BETWEEN {_FIRST_DAY} AND {_LAST_DAY} THEN {day} END)"
        case ColumnType.TIMESTAMP:
            moment = _moment(spec, text, timezone)
            value = f"(CASE WHEN {moment} BETWEEN {_EARLIEST} AND {_LATEST} THEN {moment} END)"
    return value


def _number(
    spec: ColumnSpec, text: str, *, fraction: str = r"\d*", exponent: str = r"([eE][+-]?\d{1,4})?"
) -> str:
    """The text with a point as its decimal separator; NULL when it is not written like a number."""
    point = re.escape(spec.decimal)
    whole = r"\d+"
    if spec.thousands is not None:
        whole = rf"(\d+|\d{{1,3}}({re.escape(spec.thousands)}\d{{3}})+)"
    leading_point = "" if fraction == "0*" else rf"|{point}\d+"
    pattern = quoted(rf"[+-]?({whole}({point}{fraction})?{leading_point}){exponent}")
    plain = text
    if spec.thousands is not None:
        plain = f"replace({plain}, {quoted(spec.thousands)}, '')"
    if spec.decimal != ".":
        plain = f"replace({plain}, {quoted(spec.decimal)}, '.')"
    return f"(CASE WHEN regexp_full_match({text}, {pattern}) THEN ltrim({plain}, '+') END)"


def _money(spec: ColumnSpec, text: str) -> str:
    number = _number(spec, text)
    if spec.unit is None:
        return f"TRY_CAST({number} AS DECIMAL(18, 6))"
    # A product of decimals is exact; a division would go through binary fractions.
    share = f"CAST({1 / _PARTS[spec.unit]:.6f} AS DECIMAL(7, 6))"
    return f"TRY_CAST(TRY_CAST({number} AS DECIMAL(30, 6)) * {share} AS DECIMAL(18, 6))"


def _each(spec: ColumnSpec, amount: str, count: str) -> str:
    """The amount of one unit, to the millionth; NULL for no unit or an unreadable number of them."""
    units = f"NULLIF(TRY_CAST({_number(spec, count)} AS DOUBLE), 0)"
    return f"TRY_CAST({amount} / {units} AS DECIMAL(18, 6))"


def _iso_day(text: str) -> str:
    is_iso = f"regexp_full_match({text}, '{_ISO_DAY}({_ISO_TIME})?')"
    return f"(CASE WHEN {is_iso} THEN TRY_CAST(regexp_extract({text}, '^{_ISO_DAY}') AS DATE) END)"


def _moment(spec: ColumnSpec, text: str, timezone: str) -> str:
    if spec.unit is not None:
        # Beyond these bounds no year is within 1900..2200, and the conversion would overflow.
        count = f"TRY_CAST({_number(spec, text)} AS DECIMAL(24, 6))"
        limit = 10**10 * _PARTS[spec.unit]
        micros = f"CAST({count} * {1_000_000 // _PARTS[spec.unit]} AS BIGINT)"
        in_bounds = f"{count} BETWEEN -{limit} AND {limit}"
        return f"(CASE WHEN {in_bounds} THEN make_timestamp({micros}) AT TIME ZONE 'UTC' END)"
    if spec.format is not None:
        return _formatted(spec, text, timezone, as_date=False)
    # The session's time zone is the source's, so that a time without an offset is read in it.
    return (
        f"(CASE WHEN regexp_full_match({text}, '{_ISO_DAY}({_ISO_TIME})?') "
        f"THEN TRY_CAST({text} AS TIMESTAMPTZ) END)"
    )


def _formatted(spec: ColumnSpec, text: str, timezone: str, *, as_date: bool) -> str:
    """The first of the declared formats that fits."""
    attempts: list[str] = []
    for declared in spec.format or ():
        parsed = f"try_strptime({text}, {quoted(declared)})"
        has_zone = "%z" in declared or "%Z" in declared
        if as_date:
            attempts.append(f"TRY_CAST({parsed} AS DATE)")
        else:
            attempts.append(parsed if has_zone else f"({parsed} AT TIME ZONE {quoted(timezone)})")
    return f"coalesce({', '.join(attempts)})"
