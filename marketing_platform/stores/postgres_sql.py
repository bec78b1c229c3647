"""SQL in DuckDB's dialect as PostgreSQL runs it: the one place where the two differ.

sqlglot translates; what it leaves alone is put right here: `arg_max`, averages of integers
(exact decimals in PostgreSQL, doubles in DuckDB), look-ups in a column of maps (JSON in PostgreSQL),
the question whether a vector is zero (PostgreSQL holds the bytes of vectors, see `postgres_rows.py`),
subqueries without a name, and parameters, which are bound by number (`$1`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp

_CACHED = 512  # statements; the platform has about a hundred


@dataclass(frozen=True)
class Translated:
    """A query for PostgreSQL whose tables are not bound yet."""

    body: str
    named: tuple[str, ...]  # its own `name AS (…)`, without the WITH in front
    parameters: tuple[str, ...]  # whose values are `$1`, `$2`, …

    def bound_to(self, tables: Iterable[str]) -> str:
        """The query with these `name AS (…)` before its own."""
        named = ", ".join([*tables, *self.named])
        return f"WITH {named} {self.body}" if named else self.body


@lru_cache(_CACHED)
def to_postgres(sql: str, maps: frozenset[str] = frozenset()) -> Translated:
    """Translate a query; `maps` names the columns of its tables that hold maps."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    for rewrite in (_arg_max, _average, _name_subquery, _zero_vector, _look_up(maps)):
        tree = tree.transform(rewrite)
    names: list[str] = []
    tree = tree.transform(_number_parameters(names))
    named = tree.args.get("with_")
    if named is not None:
        tree.set("with_", None)
    return Translated(
        body=_text(tree),
        named=tuple(_text(one) for one in named.expressions) if named is not None else (),
        parameters=tuple(names),
    )


def _text(tree: exp.Expr) -> str:
    return tree.sql(dialect="postgres", identify=True)


def _arg_max(node: exp.Expr) -> exp.Expr:
    """`arg_max(v, (a, b)) FILTER (…)` is the first of the values in falling order of a, then b.

    DuckDB leaves out rows whose value is NULL; a null in the order never wins.
    """
    found = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(found, exp.ArgMax) or isinstance(node.parent, exp.Filter):
        return node
    by = found.expression
    order = exp.Order(
        expressions=[
            exp.Ordered(this=part.copy(), desc=True, nulls_first=False)
            for part in (by.expressions if isinstance(by, exp.Tuple) else [by])
        ]
    )
    value = found.this.copy()
    known = value.copy().is_(exp.null()).not_()
    where = exp.and_(node.expression.this.copy(), known) if isinstance(node, exp.Filter) else known
    values = exp.Filter(
        this=exp.ArrayAgg(this=exp.Order(this=value, expressions=order.expressions)),
        expression=exp.Where(this=where),
    )
    return exp.Bracket(this=exp.Paren(this=values), expressions=[exp.Literal.number(1)], offset=1)


def _average(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Avg) and not isinstance(node.this, exp.Cast):
        return exp.Avg(this=exp.cast(node.this.copy(), "DOUBLE"))
    return node


def _name_subquery(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Subquery) and isinstance(node.parent, exp.From | exp.Join) and not node.alias:
        return exp.alias_(node.copy(), "unnamed", table=True)
    return node


def _zero_vector(node: exp.Expr) -> exp.Expr:
    """`list_dot_product(v, v) = 0`: every byte is zero. Nothing else can be asked of a vector."""
    if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Anonymous):
        return node
    called, zero = node.this, node.expression
    if called.name.lower() != "list_dot_product" or len(set(called.expressions)) != 1 or zero.name != "0":
        return node
    vector = called.expressions[0]
    length = exp.func("octet_length", vector.copy())
    zeros = exp.func(
        "decode", exp.func("repeat", exp.Literal.string("00"), length), exp.Literal.string("hex")
    )
    return exp.EQ(this=vector.copy(), expression=zeros)


def _look_up(maps: frozenset[str]) -> Callable[[exp.Expr], exp.Expr]:
    def rewrite(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Bracket) and isinstance(node.this, exp.Column) and node.this.name in maps:
            return exp.JSONExtractScalar(this=node.this.copy(), expression=node.expressions[0].copy())
        return node

    return rewrite


def _number_parameters(names: list[str]) -> Callable[[exp.Expr], exp.Expr]:
    def rewrite(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder):
            return node
        if node.name not in names:
            names.append(node.name)
        return exp.Parameter(this=exp.Literal.number(names.index(node.name) + 1))

    return rewrite
