"""What queries in DuckDB's dialect need on more than one other engine.

Only the recognition of a shape and rewrites that are the same everywhere belong here; what one engine
puts in its place is in `postgres_sql.py` and `bigquery_sql.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp

Rewrite = Callable[[exp.Expr], exp.Expr]


@dataclass(frozen=True)
class Translated:
    """A query for another engine whose tables are not bound yet."""

    body: str
    named: tuple[str, ...]  # its own `name AS (…)`, without the WITH in front
    parameters: tuple[str, ...]  # their names, in the order in which they first appear

    def bound_to(self, tables: Iterable[str]) -> str:
        """The query with these `name AS (…)` before its own."""
        named = ", ".join([*tables, *self.named])
        return f"WITH {named} {self.body}" if named else self.body


def taken_apart(tree: exp.Expr, text: Callable[[exp.Expr], str], parameters: Iterable[str]) -> Translated:
    """A finished tree as text, its WITH apart so that tables can be bound in front of it."""
    named = tree.args.get("with_")
    if named is not None:
        tree.set("with_", None)
    return Translated(
        body=text(tree),
        named=tuple(text(one) for one in named.expressions) if named is not None else (),
        parameters=tuple(parameters),
    )


@dataclass(frozen=True)
class Latest:
    """`arg_max(value, (a, b)) FILTER (WHERE condition)`: DuckDB leaves out rows whose value is NULL."""

    value: exp.Expr
    order: tuple[exp.Expr, ...]  # falling, the first counts most; a null never wins
    condition: exp.Expr | None


def latest(node: exp.Expr) -> Latest | None:
    """What an `arg_max` asks for, when the node is one (with its FILTER, where it has one)."""
    found = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(found, exp.ArgMax) or isinstance(node.parent, exp.Filter):
        return None
    by = found.expression
    order = by.expressions if isinstance(by, exp.Tuple) else [by]
    return Latest(
        value=found.this.copy(),
        order=tuple(part.copy() for part in order),
        condition=node.expression.this.copy() if isinstance(node, exp.Filter) else None,
    )


def zero_vector(node: exp.Expr) -> exp.Expr | None:
    """The vector `v` of `list_dot_product(v, v) = 0`, when the node asks that."""
    if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Anonymous):
        return None
    called, zero = node.this, node.expression
    if called.name.lower() != "list_dot_product" or len(set(called.expressions)) != 1 or zero.name != "0":
        return None
    return called.expressions[0].copy()


def look_up(maps: frozenset[str], replaced: Callable[[exp.Expr, exp.Expr], exp.Expr]) -> Rewrite:
    """Put `replaced(map, key)` in place of `map[key]` where `map` is a column of maps."""

    def rewrite(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Bracket) and isinstance(node.this, exp.Column) and node.this.name in maps:
            return replaced(node.this.copy(), node.expressions[0].copy())
        return node

    return rewrite


def name_subquery(node: exp.Expr) -> exp.Expr:
    """Subqueries after FROM get a name, which other engines ask for."""
    if isinstance(node, exp.Subquery) and isinstance(node.parent, exp.From | exp.Join) and not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier("unnamed")))  # in place: it may hold others
    return node


def as_double(value: exp.Expr) -> exp.Expr:
    """The value as a double, unless it is cast already."""
    return value.copy() if isinstance(value, exp.Cast) else exp.cast(value.copy(), "DOUBLE")
