"""How unusual days and forecasts look in an answer; they are found and made by the pipeline."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from marketing_platform.analytics.kpis.watch import Sensitivity
from serving import responses
from serving.kpis.schemas import Finite
from serving.responses import Part


class AnomalyFound(Part):
    """One day of one KPI that its own history did not let expect."""

    kpi: str = Field(description="The KPI.")
    dimension: str | None = Field(
        description="What it was broken down by; null for the figure of everything."
    )
    member: str | None = Field(description="The value of the dimension.")
    day: date = Field(description="The day.")
    value: Finite = Field(description="What it was.")
    expected: Finite = Field(description="What the 12 weeks before let expect.")
    low: Finite = Field(description="Anything from here …")
    high: Finite = Field(description="… to here would have been usual.")
    currency: str | None = Field(description="Of these figures, where they are money.")


class WatchedKpi(Part):
    """What was looked at for a line of `kpis/watch.yaml`."""

    kpi: str = Field(description="The KPI.")
    by: tuple[str, ...] = Field(description="Dimensions whose 20 largest members are watched, too.")
    sensitivity: Sensitivity = Field(description="How far outside is far.")
    series: int = Field(description="The whole and the members that had enough days.")
    days: int = Field(description="Days judged, of all of them.")
    first: date | None = Field(description="The first day that was judged.")
    last: date | None = Field(description="The last; days that may not be whole are not.")
    reason: str | None = Field(description="Why nothing could be judged.")


class AnomaliesAnswer(responses.Answer):
    """Unusual days, and what was looked at to find them."""

    anomalies: tuple[AnomalyFound, ...] = Field(description="The latest first.")
    watched: tuple[WatchedKpi, ...] = Field(description="As declared.")


class LearntFrom(Part):
    """The days that a forecast was made of."""

    first: date = Field(alias="from", description="First day.")
    last: date = Field(alias="to", description="Last whole day.")
    days: int = Field(description="How many.")
    filled: int = Field(description="Those without figures, taken as the same weekday of the week before.")


class DayAhead(Part):
    """One day to come."""

    day: date = Field(description="The day.")
    value: Finite = Field(description="What is expected.")
    low: Finite = Field(description="Lower end of the interval.")
    high: Finite = Field(description="Upper end.")


class ForecastErrors(Part):
    """How far forecasts of one model were off: means over past days."""

    mase: Finite = Field(description="Of the mean difference to the same weekday a week before.")
    smape: Finite = Field(description="Symmetric percentage error, 0 to 200.")
    coverage: Finite = Field(description="Percent of days that lay within their interval.")


class Tried(Part):
    """Forecasts of the past, made from what was known then."""

    origins: int = Field(description="Past days from which was forecast.")
    horizon: int = Field(description="Days, each time.")
    models: dict[str, ForecastErrors] = Field(description="By model.")


class ForecastOf(Part):
    """The days to come of one KPI."""

    kpi: str = Field(description="The KPI.")
    currency: str | None = Field(description="Of its figures, where they are money.")
    learnt_from: LearntFrom = Field(description="What was known.")
    model: str = Field(description="What did better on the past.")
    says: str = Field(description="The same in a sentence.")
    level: int = Field(description="Percent of days that should lie within their interval.")
    days: tuple[DayAhead, ...] = Field(description="In order.")
    tried: Tried = Field(description="How the models did on the past.")


class NoForecast(Part):
    """A KPI that is not forecast."""

    kpi: str = Field(description="The KPI.")
    reason: str = Field(description="Why.")


class ForecastsAnswer(responses.Answer):
    """Forecasts, and what is not forecast."""

    forecasts: tuple[ForecastOf, ...] = Field(description="As declared.")
    declined: tuple[NoForecast, ...] = Field(description="What is declared and cannot be forecast.")


def anomalies_example() -> dict[str, Any]:
    """A day on which too much was spent."""
    judged = {"first": "2026-06-02", "last": "2026-06-29", "reason": None}
    return {
        **responses.head_example(),
        "anomalies": [
            {
                "kpi": "spend",
                "dimension": "platform",
                "member": "Meta",
                "day": "2026-06-17",
                "value": 14210.5,
                "expected": 4630.1,
                "low": 1893.4,
                "high": 8607.9,
                "currency": "USD",
            }
        ],
        "watched": [
            {
                "kpi": "spend",
                "by": ["platform"],
                "sensitivity": "normal",
                "series": 3,
                "days": 84,
                **judged,
            }
        ],
    }


def forecasts_example() -> dict[str, Any]:
    """One day ahead."""
    return {
        **responses.head_example(),
        "forecasts": [
            {
                "kpi": "spend",
                "currency": "USD",
                "learnt_from": {"from": "2026-01-01", "to": "2026-06-29", "days": 180, "filled": 1},
                "model": "exponential smoothing",
                "says": "exponential smoothing did better than the same weekday a week before"
                " (MASE 0.70 against 1.08)",
                "level": 80,
                "days": [{"day": "2026-06-30", "value": 9332.26, "low": 7459.81, "high": 11204.71}],
                "tried": {
                    "origins": 8,
                    "horizon": 28,
                    "models": {
                        "seasonal naive": {"mase": 1.08, "smape": 18.8, "coverage": 90.2},
                        "exponential smoothing": {"mase": 0.7, "smape": 12.2, "coverage": 77.7},
                    },
                },
            }
        ],
        "declined": [{"kpi": "sales", "reason": "there is no data"}],
    }
