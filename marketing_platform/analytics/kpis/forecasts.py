"""Forecasts of the KPIs that `kpis/watch.yaml` names, made of a release and told to people and programs.

The models and how they are tried are in `forecasting.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from marketing_platform.analytics.kpis.answering import Ask, Coverage, coverage_of
from marketing_platform.analytics.kpis.forecasting import (
    HISTORY_DAYS,
    LEAST_DAYS,
    LEVEL,
    NAIVE,
    SMOOTHED,
    Forecast,
    forecast,
)
from marketing_platform.analytics.kpis.periods import last_days
from marketing_platform.analytics.kpis.series import (
    Reporters,
    facts_of,
    reporters_of,
    whole_series,
)
from marketing_platform.analytics.kpis.spec import Kpi, Registry
from marketing_platform.analytics.kpis.watch import Watch
from marketing_platform.errors import KpiError

_MOST_FILLED = 0.25  # of the days learnt from


@dataclass(frozen=True)
class KpiForecast:
    """The days to come of one KPI."""

    kpi: str
    currency: str | None  # of values, where they are money
    first: date  # of the days learnt from
    last: date  # the last whole day; the first that is forecast follows it
    filled: int  # of those days that have no figures: taken as the same weekday of the week before
    known: tuple[float, ...]  # the days learnt from
    forecast: Forecast

    def document(self) -> dict[str, Any]:
        """As a release keeps it: figures with the error that models like these made before."""
        made = self.forecast
        days = zip(made.days.middle, made.days.low, made.days.high, strict=True)
        return {
            "kpi": self.kpi,
            "currency": self.currency,
            "learnt_from": {
                "from": self.first.isoformat(),
                "to": self.last.isoformat(),
                "days": len(self.known),
                "filled": self.filled,
            },
            "model": made.model,
            "says": _says(made),
            "level": LEVEL,
            "days": [
                {
                    "day": (self.last + timedelta(days=ahead)).isoformat(),
                    "value": float(value),
                    "low": float(low),
                    "high": float(high),
                }
                for ahead, (value, low, high) in enumerate(days, start=1)
            ],
            "tried": {
                "origins": made.origins,
                "horizon": len(made.days.middle),
                "models": {name: asdict(errors) for name, errors in made.errors.items()},
            },
        }


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of one release, and why there are no others."""

    made: tuple[KpiForecast, ...]
    declined: Mapping[str, str]  # KPI -> reason

    def document(self) -> dict[str, Any]:
        """What a release keeps of it."""
        return {
            "forecasts": [one.document() for one in self.made],
            "declined": [{"kpi": kpi, "reason": reason} for kpi, reason in self.declined.items()],
        }


def make_forecasts(registry: Registry, watch: Watch, ask: Ask) -> Forecasts:
    """A forecast for each KPI that is to have one and has enough whole days."""
    coverage, reporters = coverage_of(ask), reporters_of(ask)
    made: list[KpiForecast] = []
    declined: dict[str, str] = {}
    for name in watch.forecasts:
        try:
            made.append(_made(registry, registry.kpi(name), ask, coverage, reporters))
        except KpiError as error:
            declined[name] = str(error)
    return Forecasts(tuple(made), declined)


def _made(registry: Registry, kpi: Kpi, ask: Ask, coverage: Coverage, reporters: Reporters) -> KpiForecast:
    facts = facts_of(registry, kpi)
    known = coverage.of(facts)
    last = max(known, default=None)
    if last is None:
        raise KpiError("there is no data")
    whole = reporters.whole(facts, last_days(last, HISTORY_DAYS + 1))
    series = whole_series(registry, kpi, last_days(last, HISTORY_DAYS + 1), ask, coverage)
    values = {day: series.values[day] for day in whole if day in series.values}
    days = (max(values) - min(values)).days + 1 if values else 0
    if days < LEAST_DAYS:
        raise KpiError(f"a forecast that can be tried on the past needs {LEAST_DAYS} days; there are {days}")
    if len(values) < (1 - _MOST_FILLED) * days:
        raise KpiError(f"{days - len(values)} of {days} days have no figures")
    return KpiForecast(
        kpi=kpi.kpi,
        currency=series.currency,
        first=min(values),
        last=max(values),
        filled=days - len(values),
        known=(filled := _filled(values)),
        forecast=forecast(filled),
    )


def _filled(values: Mapping[date, float]) -> tuple[float, ...]:
    """Every day from the first to the last; one without figures is what the week before was, or else 0.

    A weekday that never has figures (nothing runs on Sundays) so is 0.
    """
    found: list[float] = []
    for passed in range((max(values) - min(values)).days + 1):
        week_before = found[passed - 7] if passed >= 7 else 0.0  # noqa: PLR2004 -- a week
        found.append(values.get(min(values) + timedelta(days=passed), week_before))
    return tuple(found)


def _says(made: Forecast) -> str:
    if SMOOTHED not in made.errors:
        return "every week was like the one before, and so are those to come"
    errors = f"MASE {made.errors[SMOOTHED].mase:.2f} against {made.errors[NAIVE].mase:.2f}"
    if made.model == NAIVE:
        return (
            f"{SMOOTHED} did no better than the same weekday a week before ({errors}),"
            " which therefore is the forecast"
        )
    return f"{SMOOTHED} did better than the same weekday a week before ({errors})"
