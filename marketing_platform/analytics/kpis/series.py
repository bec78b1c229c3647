"""Figures day by day, and the days that are whole: what anomalies are looked for in and forecasts made of.

A figure is the engine's own (`answering.py`), so a day here is the day that anybody would be told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from marketing_platform.analytics.kpis.answering import Ask, Coverage, answer
from marketing_platform.analytics.kpis.compiling import COVERAGE
from marketing_platform.analytics.kpis.periods import Period
from marketing_platform.analytics.kpis.question import Filter, Question
from marketing_platform.analytics.kpis.spec import Kpi, Registry

MOST_MEMBERS = 20  # of a dimension, the largest
_REGULAR_DAYS = 56
_REGULAR = 0.95  # of those days
_REPORTERS_SQL = f"SELECT DISTINCT fact, source, platform, account, day FROM {COVERAGE}"  # noqa: S608 -- a constant

Reporter = tuple[str, str | None, str | None, str | None]  # fact, source, platform, account


@dataclass(frozen=True)
class Series:
    """The values of a KPI by day; days without a value are not there."""

    kpi: str
    dimension: str | None  # None: the whole
    member: str | None
    currency: str | None
    values: Mapping[date, float]


@dataclass(frozen=True)
class Reporters:
    """Who reported on which days: each account of a source, each source of orders and events."""

    days: Mapping[Reporter, frozenset[date]]

    def whole(self, facts: Iterable[str], period: Period) -> tuple[date, ...]:
        """The days for which everybody's figures are there.

        The last day that somebody reported may be half a day, and is never whole; nor is a day on which
        somebody is missing who else reports on nearly every day.
        """
        asked = set(facts)
        known = [days for reporter, days in self.days.items() if reporter[0] in asked]
        return tuple(day for day in period if any(day < max(days) for days in known) and _all_in(known, day))


def reporters_of(ask: Ask) -> Reporters:
    """Who reported when, from the coverage of a release."""
    found: defaultdict[Reporter, set[date]] = defaultdict(set)
    for row in ask(_REPORTERS_SQL, (COVERAGE,), {}):
        found[row["fact"], row["source"], row["platform"], row["account"]].add(row["day"])
    return Reporters({reporter: frozenset(days) for reporter, days in found.items()})


def _all_in(known: Iterable[frozenset[date]], day: date) -> bool:
    before = [day - timedelta(days=ago) for ago in range(1, _REGULAR_DAYS + 1)]
    for days in known:
        regular = sum(one in days for one in before) >= _REGULAR * _REGULAR_DAYS
        if regular and (day not in days or day >= max(days)):
            return False
    return True


def facts_of(registry: Registry, kpi: Kpi) -> frozenset[str]:
    """The facts whose lines a KPI adds up."""
    return frozenset(measure.fact for measure in registry.needs(kpi))


def whole_series(registry: Registry, kpi: Kpi, period: Period, ask: Ask, coverage: Coverage) -> Series:
    """The KPI of everything, by day; KpiError when it has no answer."""
    found = answer(registry, Question((kpi.kpi,), period, by=("day",)), ask, coverage)
    values = {
        date.fromisoformat(str(line.key[0])): value
        for line in found.lines
        if (value := line.values[kpi.kpi].value) is not None
    }
    return Series(kpi.kpi, None, None, found.currency, values)


def member_series(
    registry: Registry, kpi: Kpi, dimension: str, period: Period, ask: Ask, coverage: Coverage
) -> tuple[Series, ...]:
    """The same for each of the largest members of a dimension; KpiError when there is no answer."""
    members = _largest(registry, kpi, dimension, period, ask, coverage)
    if not members:
        return ()
    question = Question(
        (kpi.kpi,), period, by=(dimension, "day"), filters={dimension: Filter(only=tuple(members))}
    )
    found = answer(registry, question, ask, coverage)
    values: dict[str, dict[date, float]] = {member: {} for member in members}
    for line in found.lines:
        member, day = line.key
        value = line.values[kpi.kpi].value
        if member is not None and value is not None:
            values[member][date.fromisoformat(str(day))] = value
    return tuple(
        Series(kpi.kpi, dimension, member, found.currency, of_member) for member, of_member in values.items()
    )


def _largest(
    registry: Registry, kpi: Kpi, dimension: str, period: Period, ask: Ask, coverage: Coverage
) -> list[str]:
    """By what a ratio divides by, where that is a KPI of its own: a ratio itself says nothing of size."""
    size = next(
        (
            one.kpi
            for one in registry.kpis.values()
            if one.denominator is None and one.numerator == (kpi.denominator or kpi.numerator)
        ),
        kpi.kpi,
    )
    question = Question((size,), period, by=(dimension,), order_by=size, order="highest")
    lines = answer(registry, question, ask, coverage).lines
    return [str(line.key[0]) for line in lines if line.key[0] is not None][:MOST_MEMBERS]
