"""What `kpis/watch.yaml` may say: which KPIs are watched for unusual days, and which are forecast.

How a day is judged is in `outliers.py`, how a forecast is made in `forecasting.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from marketing_platform.analytics.kpis.spec import TIME_BUCKETS, Name, Registry
from marketing_platform.declarations import (
    Choice,
    Declaration,
    Declared,
    KeyPath,
    Problem,
    load_declaration,
    one_of,
)
from marketing_platform.errors import KpiError

WATCH = "watch.yaml"
Sensitivity = Literal["low", "normal", "high"]


class Watched(Declared):
    """A KPI whose days are compared with its own history: the whole, and the members of dimensions."""

    kpi: Name
    by: tuple[Name, ...] = ()
    sensitivity: Sensitivity = "normal"


class Watch(Declared):
    """`kpis/watch.yaml`."""

    anomalies: tuple[Watched, ...] = ()
    forecasts: tuple[Name, ...] = ()


def load_watch(directory: Path, registry: Registry) -> Watch:
    """What is watched and forecast; nothing without the file.

    Raises:
        KpiError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    path = directory / WATCH
    if not path.exists():
        return Watch()

    def problems(_: Mapping[str, Any], found: Watch | None) -> Iterator[Problem]:
        if found is not None:
            yield from _unknown(registry, found)

    return load_declaration(path, Declaration(Watch, KpiError, _part_at, problems))


def _part_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    return Watched if path[:1] == ("anomalies",) and len(path) == 2 else None  # noqa: PLR2004 -- an entry


def _unknown(registry: Registry, found: Watch) -> Iterator[Problem]:
    for index, one in enumerate(found.anomalies):
        if one.kpi not in registry.kpis:
            yield Problem(("anomalies", index, "kpi"), *one_of(one.kpi, registry.kpis))
            continue
        offered = [
            name for name in registry.dimensions_of(registry.kpis[one.kpi]) if name not in TIME_BUCKETS
        ]
        if "day" not in registry.dimensions_of(registry.kpis[one.kpi]):
            yield Problem(("anomalies", index, "kpi"), "a KPI that has a figure for each day", repr(one.kpi))
        for place, dimension in enumerate(one.by):
            if dimension not in offered:
                yield Problem(("anomalies", index, "by", place), *one_of(dimension, offered))
    sums = [
        name
        for name, kpi in registry.kpis.items()
        if kpi.denominator is None and "day" in registry.dimensions_of(kpi)
    ]
    for index, name in enumerate(found.forecasts):
        if name not in sums:
            yield Problem(("forecasts", index), *one_of(name, sums))
