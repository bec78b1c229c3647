"""Daily values carried on into the future with intervals, and how well that would have gone before.

Exponential smoothing, chosen among its forms by AICc (Hyndman and others, Forecasting with Exponential
Smoothing, 2008; AutoETS of statsforecast), is tried against repeating what was on the same weekday a week
before (seasonal naive). Both are asked at past days what came after them (rolling origin), and the one with
the smaller error serves. Nothing here knows of KPIs. Importing statsforecast takes seconds: it is done when
there is something to forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

WEEK = 7
HORIZON = 28  # days
LEVEL = 80  # percent of days that should lie within their interval
TRAINED_DAYS = 56  # at least, before any day that is forecast
HISTORY_DAYS = 366  # what lies further back says little of the weeks to come
_ORIGINS = 8  # at most, a week apart
_LEAST_ORIGINS = 4
LEAST_DAYS = TRAINED_DAYS + HORIZON + WEEK * (_LEAST_ORIGINS - 1)
NAIVE, SMOOTHED = "seasonal naive", "exponential smoothing"


@dataclass(frozen=True)
class Carried:
    """What is expected of the days after the last one, one value for each."""

    middle: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Errors:
    """How far forecasts lay from what came: means over origins and days.

    MASE and sMAPE: Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006.
    """

    mase: float  # times the mean difference between a day and the same weekday a week before, of all days
    smape: float  # percent, 0 to 200
    coverage: float  # percent of days within their interval


@dataclass(frozen=True)
class Forecast:
    """The days to come by the model that did better before, and how both did."""

    model: str
    days: Carried
    origins: int  # past days from which both were tried
    errors: Mapping[str, Errors]  # by model


def forecast(values: Sequence[float]) -> Forecast:
    """The 28 days after the last of `values`, which are of days in a row, at least `LEAST_DAYS` of them."""
    known = np.asarray(values, dtype=np.float64)[-HISTORY_DAYS:]
    if len(known) < LEAST_DAYS:
        raise ValueError(f"{len(known)} days; a forecast that can be tried needs {LEAST_DAYS}")
    origins = _origins(len(known))
    scale = float(np.abs(known[WEEK:] - known[:-WEEK]).mean())
    # Where every week is like the one before, there is nothing to do better.
    models = (NAIVE, SMOOTHED) if scale else (NAIVE,)
    errors = {
        model: _mean_errors([_tried(model, known, origin, scale) for origin in origins]) for model in models
    }
    better = min(models, key=lambda model: errors[model].mase)
    return Forecast(better, _carried(better, known), len(origins), errors)


def _origins(days: int) -> list[int]:
    """How many days are known at each origin, the latest first."""
    latest = days - HORIZON
    return list(range(latest, TRAINED_DAYS - 1, -WEEK))[:_ORIGINS]


def _carried(model: str, known: Floats) -> Carried:
    from statsforecast.models import AutoETS, SeasonalNaive

    chosen = SeasonalNaive(season_length=WEEK) if model == NAIVE else AutoETS(season_length=WEEK)
    found = chosen.forecast(y=known, h=HORIZON, level=[LEVEL])
    parts = [np.asarray(found[name], dtype=np.float64) for name in ("mean", f"lo-{LEVEL}", f"hi-{LEVEL}")]
    if (known >= 0).all():  # what never was negative does not become so
        parts = [np.maximum(part, 0.0) for part in parts]
    return Carried(*parts)


def _tried(model: str, known: Floats, origin: int, scale: float) -> Errors:
    """What came of forecasting the days after `origin` days; 0 of 0 is no error."""
    said, came = _carried(model, known[:origin]), known[origin : origin + HORIZON]
    missed = np.abs(said.middle - came)
    sizes = np.abs(said.middle) + np.abs(came)
    shares = np.divide(missed, sizes, out=np.zeros_like(missed), where=sizes > 0)
    within = (said.low <= came) & (came <= said.high)
    return Errors(
        mase=float(missed.mean()) / scale if scale else 0.0,
        smape=200 * float(shares.mean()),
        coverage=100 * float(within.mean()),
    )


def _mean_errors(tried: Sequence[Errors]) -> Errors:
    return Errors(
        float(np.mean([one.mase for one in tried])),
        float(np.mean([one.smape for one in tried])),
        float(np.mean([one.coverage for one in tried])),
    )
