"""SQL in DuckDB's dialect as BigQuery runs it: the one place where the two differ.

sqlglot translates; what it leaves alone is put right here: `arg_max` over several columns, medians
(BigQuery has them as window functions only), `split_part`, seconds between moments, `||` with what is
no text, look-ups in a column of maps (an array of keys and values in BigQuery, see `bigquery_rows.py`),
the question whether a vector is zero, and subqueries without a name. Parameters keep their names (`@name`).
"""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp

from marketing_platform.stores.sql_rewrites import (
    Translated,
    latest,
    look_up,
    name_subquery,
    taken_apart,
    zero_vector,
)

_UNITS_OF_A_DAY = frozenset({"HOUR", "MINUTE", "SECOND"})
_CACHED = 512  # statements; the platform has about a hundred


@lru_cache(_CACHED)
def to_bigquery(sql: str, maps: frozenset[str] = frozenset()) -> Translated:
    """Translate a query; `maps` names the columns of its tables that hold maps."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    rewrites = (
        _arg_max,
        _median,
        _split_part,
        _moments_apart,
        _joined_texts,
        name_subquery,
        _zero_vector,
        look_up(maps, _value_of),
    )
    for rewrite in rewrites:
        tree = tree.transform(rewrite)
    return taken_apart(tree, _text, dict.fromkeys(node.name for node in tree.find_all(exp.Placeholder)))


def _text(tree: exp.Expr) -> str:
    return tree.sql(dialect="bigquery", identify=True)


def _ordered(part: exp.Expr, *, desc: bool = False) -> exp.Ordered:
    """BigQuery puts nulls first when rising and last when falling, and takes no other wish in an array."""
    return exp.Ordered(this=part, desc=desc, nulls_first=not desc)


def _array(value: exp.Expr, *order: exp.Expr, limit: int | None = None) -> exp.Expr:
    ordered: exp.Expr = exp.Order(this=value, expressions=list(order))
    if limit is not None:
        ordered = exp.Limit(this=ordered, expression=exp.Literal.number(limit))
    # BigQuery's arrays hold nulls until they are a result, which these never are.
    return exp.ArrayAgg(this=ordered, nulls_excluded=False)


def _element(array: exp.Expr, position: exp.Expr) -> exp.Expr:
    return exp.Bracket(this=array, expressions=[position], offset=0, safe=True)


def _arg_max(node: exp.Expr) -> exp.Expr:
    """The first of the values in falling order, those that are null or not asked for behind all others."""
    asked = latest(node)
    if asked is None:
        return node
    value = asked.value
    if asked.condition is not None:
        value = exp.If(this=asked.condition, true=value, false=exp.null())
    order = [_ordered(part, desc=True) for part in asked.order]
    behind = _ordered(exp.Is(this=value.copy(), expression=exp.null()))
    return _element(_array(value, behind, *order, limit=1), exp.Literal.number(0))


def _median(node: exp.Expr) -> exp.Expr:
    """The mean of the two values in the middle, which are one where their number is odd."""
    if not isinstance(node, exp.Median):
        return node
    value = node.this
    behind = _ordered(exp.Is(this=value.copy(), expression=exp.null()))
    values = _array(value.copy(), behind, _ordered(value.copy()))
    count = exp.Count(this=value.copy())
    # In parentheses for the emulator's sake, which makes an operator of DIV.
    lower = exp.func("DIV", exp.paren(exp.Sub(this=count, expression=exp.Literal.number(1))), _number(2))
    upper = exp.func("DIV", count.copy(), _number(2))
    both = exp.Add(this=_element(values, lower), expression=_element(values.copy(), upper))
    return exp.Div(this=exp.paren(both), expression=_number(2))


def _number(number: int) -> exp.Expr:
    return exp.Literal.number(number)


def _split_part(node: exp.Expr) -> exp.Expr:
    """`split_part(text, separator, n)`; counts from 1, or from the end; "" beyond the pieces."""
    if not isinstance(node, exp.SplitPart):
        return node
    text, position = node.this, int(node.args["part_index"].sql())
    pieces: exp.Expr = exp.func("SPLIT", text.copy(), node.args["delimiter"].copy(), dialect="bigquery")
    if position < 0:
        pieces = exp.func("ARRAY_REVERSE", pieces)
    piece = _element(pieces, _number(abs(position) - 1))
    if abs(position) == 1:
        return piece
    beyond = exp.If(this=exp.Is(this=text.copy(), expression=exp.null()), false=exp.Literal.string(""))
    beyond.set("true", exp.null())
    return exp.func("COALESCE", piece, beyond)


def _moments_apart(node: exp.Expr) -> exp.Expr:
    """`date_diff('second', a, b)`: DATE_DIFF is for days; how many full units DuckDB saw begin between."""
    if not isinstance(node, exp.DateDiff) or node.text("unit").upper() not in _UNITS_OF_A_DAY:
        return node
    unit = exp.var(node.text("unit").upper())
    later, earlier = (
        exp.TimestampTrunc(this=moment.copy(), unit=unit.copy()) for moment in (node.this, node.expression)
    )
    return exp.TimestampDiff(this=later, expression=earlier, unit=unit)


def _joined_texts(node: exp.Expr) -> exp.Expr:
    """BigQuery joins texts only: what may be none is cast."""
    if isinstance(node, exp.DPipe):  # changed in place, so that chains are followed
        for side in ("this", "expression"):
            node.set(side, _as_text(node.args[side]))
    return node


def _as_text(side: exp.Expr) -> exp.Expr:
    texts = isinstance(side, exp.DPipe) or (isinstance(side, exp.Literal) and side.is_string)
    return side if texts else exp.cast(side, "TEXT")


def _zero_vector(node: exp.Expr) -> exp.Expr:
    """No float of the vector differs from zero."""
    vector = zero_vector(node)
    if vector is None:
        return node
    other = sqlglot.parse_one("SELECT 1 FROM UNNEST(v) AS x WHERE x <> 0", read="bigquery")
    unnest = other.find(exp.Unnest)
    assert unnest is not None  # noqa: S101 -- of the line above
    unnest.set("expressions", [vector])
    return exp.Not(this=exp.Exists(this=other))


def _value_of(map_: exp.Expr, key: exp.Expr) -> exp.Expr:
    """The value of the entry with this key; null when there is none."""
    found = sqlglot.parse_one("SELECT e.value FROM UNNEST(m) AS e WHERE e.key = k", read="bigquery")
    unnest, equal = found.find(exp.Unnest), found.find(exp.EQ)
    assert unnest is not None and equal is not None  # noqa: S101, PT018 -- of the line above
    unnest.set("expressions", [map_])
    equal.set("expression", key)
    return exp.Subquery(this=found)
