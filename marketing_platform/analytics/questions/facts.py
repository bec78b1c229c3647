"""What a release knows, as far as questions need it: names in its data, first and last days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from marketing_platform.analytics.kpis import Registry
from marketing_platform.analytics.kpis.answering import Ask
from marketing_platform.analytics.kpis.compiling import COVERAGE
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.periods import Clock
from marketing_platform.analytics.questions.refusal import NotUnderstood

_DAILY = "kpi_daily"
_MOST_VALUES = 20_000  # of a dimension; names beyond are not understood, and so refused
_DAYS_SQL = "SELECT fact, MIN(day) AS first_day, MAX(day) AS last_day FROM kpi_coverage GROUP BY fact"


@dataclass(frozen=True)
class Facts:
    """Names and days of a release."""

    values: Mapping[str, tuple[str, ...]]  # by dimension, as the data writes them
    days: Mapping[str, tuple[date, date]]  # first and last day, by fact

    def clock(self, facts: Iterable[str], today: date | None) -> Clock:
        """Today and the days of data of some facts; today is the last day that all of them have."""
        known = [self.days[fact] for fact in facts if fact in self.days]
        if not known:
            raise NotUnderstood("there is no data of that in the release yet", lacks_data=True)
        first, last = min(one for one, _ in known), min(one for _, one in known)
        return Clock(today or last, first, last)


def known_facts(registry: Registry, ask: Ask) -> Facts:
    """What the tables of a release know; a query for each dimension."""
    days = {row["fact"]: (row["first_day"], row["last_day"]) for row in ask(_DAYS_SQL, (COVERAGE,), {})}
    if "sales" in days:
        days["buyers"] = days["sales"]
    return Facts({name: _values(name, ask) for name in registry.dimensions if name not in TIME_BUCKETS}, days)


def _values(dimension: str, ask: Ask) -> tuple[str, ...]:
    sql = (
        f"SELECT DISTINCT {dimension} AS name FROM kpi_daily WHERE {dimension} IS NOT NULL"  # noqa: S608 -- declared
        f" ORDER BY name LIMIT {_MOST_VALUES}"
    )
    return tuple(row["name"] for row in ask(sql, (_DAILY,), {}))
