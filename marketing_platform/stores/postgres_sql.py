"""SQL in DuckDB's dialect as PostgreSQL runs it: the one place where the two differ.

sqlglot translates; what it leaves alone is put right here: `arg_max`, averages of integers
(exact decimals in PostgreSQL, doubles in DuckDB), look-ups in a column of maps (JSON in PostgreSQL),
the question whether a vector is zero (PostgreSQL holds the bytes of vectors, see `postgres_rows.py`),
subqueries without a name, and parameters, which are bound by number (`$1`).
"""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp

from marketing_platform.stores.sql_rewrites import (
    Rewrite,
    Translated,
    as_double,
    latest,
    look_up,
    name_subquery,
    taken_apart,
    zero_vector,
)

_CACHED = 512  # statements; the platform has about a hundred


@lru_cache(_CACHED)
def to_postgres(sql: str, maps: frozenset[str] = frozenset()) -> Translated:
    """Translate a query; `maps` names the columns of its tables that hold maps."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    for rewrite in (_arg_max, _average, name_subquery, _zero_vector, look_up(maps, _json_value)):
        tree = tree.transform(rewrite)
    names: list[str] = []
    tree = tree.transform(_number_parameters(names))
    return taken_apart(tree, _text, names)


def _text(tree: exp.Expr) -> str:
    return tree.sql(dialect="postgres", identify=True)


def _arg_max(node: exp.Expr) -> exp.Expr:
    """The first of the values in falling order."""
    asked = latest(node)
    if asked is None:
        return node
    order = [exp.Ordered(this=part, desc=True, nulls_first=False) for part in asked.order]
    known = asked.value.copy().is_(exp.null()).not_()
    values = exp.Filter(
        this=exp.ArrayAgg(this=exp.Order(this=asked.value, expressions=order)),
        expression=exp.Where(this=exp.and_(asked.condition, known) if asked.condition else known),
    )
    return exp.Bracket(this=exp.Paren(this=values), expressions=[exp.Literal.number(1)], offset=1)


def _average(node: exp.Expr) -> exp.Expr:
    return exp.Avg(this=as_double(node.this)) if isinstance(node, exp.Avg) else node


def _zero_vector(node: exp.Expr) -> exp.Expr:
    """Every byte is zero. Nothing else can be asked of a vector."""
    vector = zero_vector(node)
    if vector is None:
        return node
    length = exp.func("octet_length", vector.copy())
    zeros = exp.func(
        "decode", exp.func("repeat", exp.Literal.string("00"), length), exp.Literal.string("hex")
    )
    return exp.EQ(this=vector, expression=zeros)


def _json_value(map_: exp.Expr, key: exp.Expr) -> exp.Expr:
    return exp.JSONExtractScalar(this=map_, expression=key)


def _number_parameters(names: list[str]) -> Rewrite:
    def rewrite(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder):
            return node
        if node.name not in names:
            names.append(node.name)
        return exp.Parameter(this=exp.Literal.number(names.index(node.name) + 1))

    return rewrite
