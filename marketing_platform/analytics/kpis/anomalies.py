"""Days on which a KPI was far outside its own history: found in a release, told to people and programs.

What is watched is declared in `kpis/watch.yaml`; how a day is judged is in `outliers.py`. Sending what was
found somewhere belongs to those who send.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from marketing_platform.analytics.kpis.answering import Ask, Coverage, coverage_of
from marketing_platform.analytics.kpis.outliers import (
    HISTORY_DAYS,
    LEAST_DAYS,
    NEW_LEVEL_DAYS,
    Band,
    bands,
    outliers,
)
from marketing_platform.analytics.kpis.periods import Period, last_days
from marketing_platform.analytics.kpis.series import (
    Series,
    facts_of,
    member_series,
    reporters_of,
    whole_series,
)
from marketing_platform.analytics.kpis.spec import Kpi, Registry
from marketing_platform.analytics.kpis.watch import Sensitivity, Watch, Watched
from marketing_platform.errors import KpiError

JUDGED_DAYS = 28  # what lies further back was news then
# Robust standard deviations; docs/kpis.md says how often noise alone goes so far.
DEVIATIONS: Mapping[Sensitivity, float] = {"high": 4.0, "normal": 5.0, "low": 6.0}
_TOO_FEW = f"a day is judged by the {HISTORY_DAYS} days before it, of which {LEAST_DAYS} need a value"


@dataclass(frozen=True)
class Anomaly:
    """One day of one KPI that its own history did not let expect."""

    kpi: str  # identifier in the registry
    dimension: str | None  # None: the figure of everything
    member: str | None  # the value of the dimension
    day: date
    value: float
    expected: float  # the middle of what was expected, in the unit of the KPI
    low: float  # value lies below low or above high
    high: float
    currency: str | None  # of value, where it is money


@dataclass(frozen=True)
class Judged:
    """What was looked at for one entry of `kpis/watch.yaml`, and why not if it was not."""

    kpi: str
    by: tuple[str, ...]
    sensitivity: Sensitivity
    series: int  # the whole and the members that had enough days
    days: int  # judged, of all of them
    first: date | None  # of the days that could be judged
    last: date | None
    reason: str | None  # why nothing could be


@dataclass(frozen=True)
class Drawn:
    """A series as a picture shows it: the days judged, what was expected of them, and what was not."""

    series: Series
    bands: Mapping[date, Band]
    unusual: frozenset[date]


@dataclass(frozen=True)
class Found:
    """All that the watch found in one release."""

    anomalies: tuple[Anomaly, ...]  # the latest first
    judged: tuple[Judged, ...]
    drawn: tuple[Drawn, ...]  # those with anomalies

    def document(self) -> dict[str, Any]:
        """What a release keeps of it."""
        return {
            "anomalies": [_plain(asdict(one)) for one in self.anomalies],
            "watched": [_plain(asdict(one)) for one in self.judged],
        }


def anomalies_in(document: Mapping[str, Any]) -> tuple[Anomaly, ...]:
    """The anomalies of a document as `Found.document` makes it."""
    rows: list[dict[str, Any]] = document["anomalies"]
    return tuple(replace(Anomaly(**row), day=date.fromisoformat(row["day"])) for row in rows)


def find_anomalies(registry: Registry, watch: Watch, ask: Ask) -> Found:
    """The unusual days among the last 28 whole ones of everything that is watched."""
    return _Watching(registry, ask).run(watch.anomalies)


class _Watching:
    def __init__(self, registry: Registry, ask: Ask) -> None:
        self._registry, self._ask = registry, ask
        self._coverage: Coverage = coverage_of(ask)
        self._reporters = reporters_of(ask)
        self._anomalies: list[Anomaly] = []
        self._drawn: list[Drawn] = []

    def run(self, watched: Sequence[Watched]) -> Found:
        judged = tuple(self._judge(one) for one in watched)
        return Found(tuple(sorted(self._anomalies, key=_place)), judged, tuple(self._drawn))

    def _judge(self, watched: Watched) -> Judged:
        kpi = self._registry.kpi(watched.kpi)
        whole = self._whole_days(kpi)
        told = whole[-JUDGED_DAYS:]
        if not told:
            return _not_judged(watched, "there are no whole days of data")
        try:
            series = [*self._series(kpi, watched.by, Period(whole[0], told[-1]))]
        except KpiError as error:
            return _not_judged(watched, str(error))
        counts = kpi.unit == "count"
        counted = [self._look(one, whole, told, watched.sensitivity, counts=counts) for one in series]
        days = sum(counted)
        if not days:
            return _not_judged(watched, _TOO_FEW)
        return Judged(
            watched.kpi,
            watched.by,
            watched.sensitivity,
            series=sum(one > 0 for one in counted),
            days=days,
            first=told[0],
            last=told[-1],
            reason=None,
        )

    def _whole_days(self, kpi: Kpi) -> Sequence[date]:
        facts = facts_of(self._registry, kpi)
        last = max(self._coverage.of(facts), default=None)
        if last is None:
            return ()
        return self._reporters.whole(facts, last_days(last, JUDGED_DAYS + NEW_LEVEL_DAYS + HISTORY_DAYS))

    def _series(self, kpi: Kpi, by: Iterable[str], period: Period) -> Iterator[Series]:
        yield whole_series(self._registry, kpi, period, self._ask, self._coverage)
        for dimension in by:
            yield from member_series(self._registry, kpi, dimension, period, self._ask, self._coverage)

    def _look(
        self,
        series: Series,
        whole: Sequence[date],
        told: Sequence[date],
        sensitivity: Sensitivity,
        *,
        counts: bool,
    ) -> int:
        """Keep what is unusual in a series; returns how many of its days could be judged."""
        # A day that lacks somebody's figures is no history either.
        values = {day: series.values[day] for day in whole if day in series.values}
        # The week before the days that are told says how many in a row were unusual already.
        judged = whole[-JUDGED_DAYS - NEW_LEVEL_DAYS :]
        expected_of = bands(values, judged, deviations=DEVIATIONS[sensitivity], counts=counts)
        shown = {day: band for day, band in expected_of.items() if day >= told[0]}
        found = [one for one in outliers(values, expected_of) if one.day in shown]
        self._anomalies += [
            Anomaly(
                series.kpi,
                series.dimension,
                series.member,
                one.day,
                one.value,
                one.band.middle,
                one.band.low,
                one.band.high,
                series.currency,
            )
            for one in found
        ]
        if found:
            self._drawn.append(Drawn(series, shown, frozenset(one.day for one in found)))
        return len(shown)


def _not_judged(watched: Watched, reason: str) -> Judged:
    return Judged(watched.kpi, watched.by, watched.sensitivity, 0, 0, None, None, reason)


def _place(one: Anomaly) -> tuple[int, str, str, str]:
    return (-one.day.toordinal(), one.kpi, one.dimension or "", one.member or "")


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in fields.items()}
