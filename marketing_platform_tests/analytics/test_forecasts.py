"""Forecasts are tried on the past; the better model serves, and what cannot be tried is not forecast."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import orjson
import pytest

from marketing_platform.analytics.kpis import load_registry
from marketing_platform.analytics.kpis.forecasting import HORIZON, LEAST_DAYS, NAIVE, SMOOTHED, forecast
from marketing_platform.analytics.kpis.forecasts import Forecasts, make_forecasts
from marketing_platform.analytics.kpis.watch import Watch
from marketing_platform.settings import PROJECT_DIR
from marketing_platform_tests.analytics.kpi_tables import asking

REGISTRY = load_registry(PROJECT_DIR / "kpis")
FIRST = date(2025, 1, 1)
WEEK = np.array([1.0, 1.1, 1.2, 1.1, 1.0, 0.5, 0.4])


def weekly(days: int, *, noise: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 1_000 * WEEK[np.arange(days) % 7] * rng.normal(1, noise, days)


def spent(folder: Path, values: np.ndarray, present: Callable[[int], bool] = lambda _: True) -> Forecasts:
    ads = [
        {
            "date": FIRST + timedelta(days=number),
            "platform": "Meta",
            "account": "A",
            "level": "campaign",
            "currency": "USD",
            "spend": Decimal(f"{value:.2f}"),
        }
        for number, value in enumerate(values)
        if present(number)
    ]
    return make_forecasts(REGISTRY, Watch(forecasts=("spend", "sales")), asking(folder, ads=ads))


def test_smoothing_serves_where_it_did_better_and_its_intervals_hold() -> None:
    """Noise over a steady week: last week alone says less than all weeks."""
    values = weekly(182, noise=0.1)
    made = forecast(values[:-HORIZON])
    assert made.model == SMOOTHED
    assert made.errors[SMOOTHED].mase < 0.9 * made.errors[NAIVE].mase
    assert 60 <= made.errors[SMOOTHED].coverage <= 100
    came = values[-HORIZON:]
    within = (made.days.low <= came) & (came <= made.days.high)
    assert within.mean() >= 0.6
    assert np.abs(made.days.middle - came).mean() < 150
    assert (made.days.low <= made.days.middle).all()
    assert (made.days.middle <= made.days.high).all()


def test_the_week_before_serves_where_nothing_did_better() -> None:
    """Each day walks on from the same day of the week before: nothing is known beyond that."""
    steps = np.random.default_rng(5).normal(0, 300, (20, 7))
    values = (5_000 + np.cumsum(steps, axis=0)).ravel()
    made = forecast(values)
    assert made.errors[NAIVE].mase <= made.errors[SMOOTHED].mase
    assert made.model == NAIVE
    assert made.days.middle.tolist() == pytest.approx([*values[-7:]] * 4)


def test_where_every_week_is_alike_so_is_the_next() -> None:
    made = forecast(np.tile(WEEK, 20).tolist())
    assert (made.model, [*made.errors]) == (NAIVE, [NAIVE])
    assert made.errors[NAIVE].mase == 0
    assert made.days.middle.tolist() == pytest.approx([*WEEK] * 4)


def test_what_never_was_negative_does_not_become_so() -> None:
    made = forecast(np.random.default_rng(2).poisson(0.7, 140).astype(float).tolist())
    assert made.days.low.min() >= 0


def test_too_few_days_cannot_be_tried() -> None:
    with pytest.raises(ValueError, match=str(LEAST_DAYS)):
        forecast([1.0] * (LEAST_DAYS - 1))


def test_a_release_keeps_days_interval_and_errors(tmp_path: Path) -> None:
    values = weekly(150, noise=0.1)
    kept = orjson.loads(orjson.dumps(spent(tmp_path, values).document()))
    (made,) = kept["forecasts"]
    # The last day may be half a day: it is forecast, not learnt from.
    assert made["learnt_from"] == {"from": "2025-01-01", "to": "2025-05-29", "days": 149, "filled": 0}
    assert [made["days"][0]["day"], made["days"][-1]["day"]] == ["2025-05-30", "2025-06-26"]
    assert len(made["days"]) == HORIZON
    assert made["days"][0]["value"] == pytest.approx(1_000 * WEEK[149 % 7], rel=0.15)
    assert made["tried"]["models"][NAIVE]["mase"] > made["tried"]["models"][SMOOTHED]["mase"]
    assert (made["model"], made["currency"], made["level"]) == (SMOOTHED, "USD", 80)
    assert "did better" in made["says"]
    assert kept["declined"] == [{"kpi": "sales", "reason": "there is no data"}]


def test_weekdays_on_which_nothing_runs_stay_at_nothing(tmp_path: Path) -> None:
    values = weekly(150, noise=0.05)
    (made,) = spent(tmp_path, values, lambda number: number % 7 != 6).made
    assert made.filled == sum(number % 7 == 6 for number in range(149))
    ahead = [(149 + number) % 7 for number in range(HORIZON)]
    closed = [value for value, weekday in zip(made.forecast.days.middle, ahead, strict=True) if weekday == 6]
    assert max(closed) < 100
    assert made.forecast.days.middle.max() > 900


@pytest.mark.parametrize(
    ("days", "every", "reason"),
    [(60, 1, "needs 105 days; there are 59"), (150, 2, "73 of 147 days have no figures")],
    ids=["few", "gaps"],
)
def test_what_cannot_be_tried_is_declined(tmp_path: Path, days: int, every: int, reason: str) -> None:
    made = spent(tmp_path, weekly(days, noise=0.1), lambda number: number % every == 0)
    assert made.made == ()
    assert reason in made.declined["spend"]
