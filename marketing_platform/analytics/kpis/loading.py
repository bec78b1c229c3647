"""Reads `kpis/registry.yaml` and `kpis/workspace.yaml`, and finds names that do not fit together.

The shapes belong to `spec.py`, files and messages to `marketing_platform/declarations.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from marketing_platform.analytics.aggregates import aggregates
from marketing_platform.analytics.kpis.spec import Definitions, Fact, Kpi, Measure, Registry, Workspace
from marketing_platform.declarations import (
    Choice,
    Declaration,
    KeyPath,
    Problem,
    load_declaration,
    one_of,
    repeated,
)
from marketing_platform.errors import KpiError

REGISTRY = "registry.yaml"
WORKSPACE = "workspace.yaml"


def load_registry(directory: Path) -> Registry:
    """What the two files of the folder declare; without `workspace.yaml` its defaults hold.

    Raises:
        KpiError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    workspace = directory / WORKSPACE
    registry = Registry(
        load_declaration(directory / REGISTRY, _DEFINITIONS),
        load_declaration(workspace, _WORKSPACE) if workspace.exists() else Workspace(),  # pyright: ignore[reportCallIssue]
    )
    for name in registry.workspace.overview:
        if name not in registry.kpis:
            expected, found = one_of(name, registry.kpis)
            raise KpiError(f"{workspace}: overview: expected {expected}, found {found}")
    return registry


def _part_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    parts: dict[object, type[BaseModel]] = {"facts": Fact, "measures": Measure, "kpis": Kpi}
    return parts.get(path[0]) if len(path) == 2 else None  # noqa: PLR2004 -- an entry of a list


def _nothing_inside(_: KeyPath) -> Choice | type[BaseModel] | None:
    return None


def _problems(_: Mapping[str, Any], found: Definitions | None) -> Iterator[Problem]:
    if found is None:
        return
    yield from repeated("facts", "fact", [one.fact for one in found.facts])
    yield from repeated("measures", "measure", [one.measure for one in found.measures])
    yield from repeated("kpis", "kpi", [one.kpi for one in found.kpis])
    yield from _unknown_columns(found)
    yield from _unfit(found)
    yield from _said_twice(found.kpis)


def _unknown_columns(found: Definitions) -> Iterator[Problem]:
    tables = aggregates()
    for index, fact in enumerate(found.facts):
        if fact.table not in tables:
            yield Problem(("facts", index, "table"), *one_of(fact.table, tables))
            continue
        columns = tables[fact.table].column_names
        for place, dimension in enumerate(fact.dimensions):
            if dimension not in columns:
                yield Problem(("facts", index, "dimensions", place), *one_of(dimension, columns))
    facts = {fact.fact: fact for fact in found.facts}
    for index, measure in enumerate(found.measures):
        if measure.fact not in facts:
            yield Problem(("measures", index, "fact"), *one_of(measure.fact, facts))
        elif measure.orders_at_least is None and facts[measure.fact].table in tables:
            columns = tables[facts[measure.fact].table].column_names
            if measure.measure not in columns:
                yield Problem(("measures", index, "measure"), *one_of(measure.measure, columns))


def _unfit(found: Definitions) -> Iterator[Problem]:
    measures = [one.measure for one in found.measures]
    for index, kpi in enumerate(found.kpis):
        for key, name in (("numerator", kpi.numerator), ("denominator", kpi.denominator)):
            if name is not None and name not in measures:
                yield Problem(("kpis", index, key), *one_of(name, measures))
        if (kpi.denominator is None) != (kpi.undefined is None):
            yield Problem(
                ("kpis", index),
                "`undefined` (what to say when it is 0) with a denominator, and only then",
                kpi.kpi,
            )


def _said_twice(kpis: Iterable[Kpi]) -> Iterator[Problem]:
    """A word that means two KPIs would be a guess."""
    meant: dict[str, str] = {}
    for index, kpi in enumerate(kpis):
        for word in dict.fromkeys(one.lower() for one in (kpi.kpi, kpi.name, *kpi.also)):
            other = meant.setdefault(word, kpi.kpi)
            if other != kpi.kpi:
                yield Problem(("kpis", index, "also"), "words of its own", f"{word!r}, which {other} has too")


_DEFINITIONS = Declaration(Definitions, KpiError, _part_at, _problems)
_WORKSPACE = Declaration(Workspace, KpiError, _nothing_inside, lambda _data, _found: ())
