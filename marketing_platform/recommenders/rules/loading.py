"""Reads `rules/recommendations.yaml`; names the catalog must know, rules that contradict each other.

The shape belongs to `spec.py`, files and messages to `marketing_platform/declarations.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from marketing_platform.catalog import Column, ColumnType, table
from marketing_platform.declarations import (
    Choice,
    Declaration,
    KeyPath,
    Problem,
    load_declaration,
    one_of,
    show,
)
from marketing_platform.errors import RuleError
from marketing_platform.recommenders.rules.spec import (
    RULES,
    AtMost,
    Condition,
    Exclude,
    Filter,
    Kind,
    Pin,
    Rule,
    RuleBook,
)

FILE_NAME = "recommendations.yaml"

# Reasons that mean something for one kind only.
_ONLY_FOR: Mapping[str, Kind] = {"out_of_stock": "products", "ended_campaign": "campaigns"}
_ONCE = ("holdout", "diversity", "minimum_score")
_NUMBERS = frozenset({ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.MONEY})


def load_rules(directory: Path) -> RuleBook:
    """The rules declared in `recommendations.yaml` of the folder; none without that file.

    Raises:
        RuleError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    path = directory / FILE_NAME
    return load_declaration(path, _RULES) if path.exists() else RuleBook()


def _part_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    return {2: Choice("rule", RULES), 4: Condition}.get(len(path))


def _problems(data: Mapping[str, Any], book: RuleBook | None) -> Iterator[Problem]:
    """What is wrong across keys and with names; only seen once the shape is right."""
    if book is None:
        return
    for kind in get_args(Kind):
        rules = book.of(kind)
        for index, rule in enumerate(rules):
            written = data[kind][index]
            yield from _unfit((kind, index), kind, rule, written)
        yield from _repeated(kind, rules)


def _unfit(path: KeyPath, kind: Kind, rule: Rule, written: Mapping[str, Any]) -> Iterator[Problem]:
    columns = table(kind).column_names
    where: Filter | None = getattr(rule, "where", None)
    for name, condition in (where or {}).items():
        if name not in columns:
            yield Problem((*path, "where", name), *one_of(name, columns))
        else:
            column = table(kind).column(name)
            yield from unfit_values((*path, "where", name), column, condition, written["where"][name])
    if isinstance(rule, AtMost) and rule.per not in columns:
        yield Problem((*path, "per"), *one_of(rule.per, columns))
    if isinstance(rule, Exclude) and _ONLY_FOR.get(rule.when or "", kind) != kind:
        yield Problem((*path, "when"), f"this only among {_ONLY_FOR[rule.when or '']}", repr(rule.when))


def unfit_values(path: KeyPath, column: Column, condition: Condition, written: Any) -> Iterator[Problem]:
    """Values that no value of the column can equal or be compared with; also for other declarations."""
    expected = _expected(column.type)
    for value in (*(condition.one_of or ()), *(condition.none_of or ())):
        if not _fits(column.type, value):
            yield Problem(path, f"{expected} for {column.name}", show(value))
    for key in ("at_least", "at_most"):
        bound = getattr(condition, key)
        if bound is None:
            continue
        if column.type in (ColumnType.STRING, ColumnType.BOOLEAN):
            yield Problem((*path, key), f"no bounds for {column.name}, which is {expected}", show(bound))
        elif not _fits(column.type, bound):
            yield Problem((*path, key), f"{expected} for {column.name}", show(bound))
    if isinstance(written, Mapping) and {"at_least", "at_most"} <= written.keys():
        try:
            upside_down = written["at_least"] > written["at_most"]
        except TypeError:
            return
        if upside_down:
            yield Problem((*path, "at_most"), f"at least {written['at_least']}", show(written["at_most"]))


def _expected(kind: ColumnType) -> str:
    if kind in _NUMBERS:
        return "a number"
    return {ColumnType.STRING: "text", ColumnType.BOOLEAN: "true or false"}.get(
        kind, "a date such as 2026-12-24"
    )


def _fits(kind: ColumnType, value: Any) -> bool:
    if kind in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, {ColumnType.STRING: str, ColumnType.BOOLEAN: bool}.get(kind, date))


def _repeated(kind: Kind, rules: Iterable[Rule]) -> Iterator[Problem]:
    """What may be said once only: names, and what two rules cannot both have."""
    seen: dict[tuple[str, Any], int] = {}
    for index, rule in enumerate(rules):
        for key, what, value in _unique(rule):
            first = seen.setdefault((what, value), index)
            if first != index:
                yield Problem((kind, index, key), what, f"{value!r}, which {kind}.{first} has too")


def _unique(rule: Rule) -> Iterator[tuple[str, str, Any]]:
    yield "name", "a name of its own", rule.name
    if rule.rule in _ONCE:
        yield "rule", f"one {rule.rule}", rule.rule
    if isinstance(rule, AtMost):
        yield "per", "one at_most per attribute", rule.per
    if isinstance(rule, Pin):
        yield "position", "a position of its own", rule.position
        yield "item", "one pin per item", rule.item


_RULES = Declaration(RuleBook, RuleError, _part_at, _problems)
