"""SQL in DuckDB's dialect as Spark runs it: the one place where the two differ.

sqlglot translates (QUALIFY, where nulls are sorted, time zones); what it leaves alone is put right here:
`arg_max` over several columns, quotients and averages (doubles in DuckDB whatever they are made of, decimals
of a few places in Spark), seconds between moments, and the question whether a vector is zero. Parameters
become literals: a job is sent as text, and its values are escaped as sqlglot escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.transforms import eliminate_qualify

from marketing_platform.stores.sql_rewrites import Rewrite, as_double, latest, name_subquery, zero_vector


def to_spark(sql: str, parameters: Mapping[str, Any]) -> str:
    """A query in Spark's dialect, over views that are called as the logical tables are.

    Spark's session must be in UTC. Raises KeyError when a parameter of the query is not given.
    """
    tree = sqlglot.parse_one(sql, read="duckdb")
    rewrites = (_arg_max, _average, _quotient, _seconds_apart, _zero_vector, name_subquery)
    for rewrite in (*rewrites, _literals(parameters)):
        tree = tree.transform(rewrite)
    return _sorted_last(tree).sql(dialect="spark", identify=True, comments=False)


def _sorted_last(tree: exp.Expr) -> exp.Expr:
    """What stands for QUALIFY is a query around the query: the order of rows belongs to the outer one."""
    order = tree.args.get("order")
    if order is None or tree.args.get("qualify") is None:
        return tree
    tree.set("order", None)
    outer = eliminate_qualify(tree)
    outer.set("order", order)
    return outer


def _arg_max(node: exp.Expr) -> exp.Expr:
    """The value of the greatest struct; a null in it is least, as a null in an ORDER BY … NULLS LAST."""
    asked = latest(node)
    if asked is None:
        return node
    order = exp.func("STRUCT", *asked.order, dialect="spark")
    known = asked.value.copy().is_(exp.null()).not_()
    condition = exp.and_(asked.condition, known) if asked.condition else known
    return exp.Filter(
        this=exp.ArgMax(this=asked.value, expression=order), expression=exp.Where(this=condition)
    )


def _average(node: exp.Expr) -> exp.Expr:
    return exp.Avg(this=as_double(node.this)) if isinstance(node, exp.Avg) else node


def _quotient(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Div):  # changed in place, so that chains are followed
        node.set("this", as_double(node.this))
    return node


def _seconds_apart(node: exp.Expr) -> exp.Expr:
    """`date_diff('second', a, b)`: how many seconds began between; Spark's DATEDIFF counts whole ones."""
    if not isinstance(node, exp.DateDiff) or node.text("unit").upper() != "SECOND":
        return node
    later, earlier = (exp.func("UNIX_SECONDS", moment.copy()) for moment in (node.this, node.expression))
    return exp.paren(exp.Sub(this=later, expression=earlier))


def _zero_vector(node: exp.Expr) -> exp.Expr:
    """No float of the vector differs from zero."""
    vector = zero_vector(node)
    if vector is None:
        return node
    other = sqlglot.parse_one("FORALL(v, x -> x = 0)", read="spark")
    other.expressions[0].replace(vector)
    return other


def _literals(parameters: Mapping[str, Any]) -> Rewrite:
    def rewrite(node: exp.Expr) -> exp.Expr:
        return exp.convert(parameters[node.name]) if isinstance(node, exp.Placeholder) else node

    return rewrite
