"""Planted days are found, quiet series are left alone, and what cannot be judged is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.analytics.kpis.outliers import HISTORY_DAYS, LEAST_DAYS, Outlier, bands, outliers

FIRST = date(2025, 1, 1)
DAYS = HISTORY_DAYS + 35
JUDGED = [FIRST + timedelta(days=number) for number in range(HISTORY_DAYS, DAYS)]
WEEK = 1 + 0.4 * np.sin(2 * np.pi * np.arange(DAYS) / 7)
Noise = Callable[[np.random.Generator], np.ndarray]


def by_day(values: np.ndarray) -> dict[date, float]:
    return {FIRST + timedelta(days=number): float(value) for number, value in enumerate(values)}


def found(
    values: Mapping[date, float], *, deviations: float = 5, counts: bool = False
) -> tuple[Outlier, ...]:
    return outliers(values, bands(values, JUDGED, deviations=deviations, counts=counts))


QUIET: dict[str, tuple[Noise, bool]] = {
    "even": (lambda rng: rng.normal(1_000, 150, DAYS), False),
    "weekly and rising": (
        lambda rng: WEEK * np.linspace(1_000, 2_000, DAYS) * rng.normal(1, 0.15, DAYS),
        False,
    ),
    "skewed": (lambda rng: rng.gamma(11, 100, DAYS), False),
    "heavy": (lambda rng: np.exp(rng.normal(5, 0.4, DAYS)), False),
    "rare": (lambda rng: rng.poisson(0.3, DAYS), True),
    "few": (lambda rng: rng.poisson(3, DAYS), True),
    "ratios": (lambda rng: rng.gamma(20, 50, DAYS) / np.maximum(rng.poisson(20, DAYS), 1), False),
    "signed": (lambda rng: rng.normal(0, 150, DAYS), False),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", QUIET)
def test_quiet_series_are_hardly_ever_told(kind: str) -> None:
    """1,400 days of each: at most two of them, though each is judged by only 84 before it."""
    make, counts = QUIET[kind]
    rng = np.random.default_rng(7)
    told = [len(found(by_day(make(rng)), counts=counts)) for _ in range(40)]
    assert sum(told) <= 2


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    place=st.integers(0, len(JUDGED) - 1),
    factor=st.sampled_from([0.0, 0.2, 3.0, 10.0]),
    weekly=st.booleans(),
)
def test_a_planted_day_is_found_with_its_date(seed: int, place: int, factor: float, weekly: bool) -> None:
    noise = np.random.default_rng(seed).normal(1, 0.08, DAYS)
    values = by_day(1_000 * (WEEK if weekly else 1) * noise)
    day = JUDGED[place]
    usual = values[day]
    values[day] *= factor
    (planted,) = [one for one in found(values) if one.day == day]
    assert planted.value == values[day]
    assert planted.band.low <= usual <= planted.band.high
    assert planted.band.low <= planted.band.middle <= planted.band.high


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), unit=st.floats(0.01, 1_000))
def test_the_unit_of_amounts_does_not_matter(seed: int, unit: float) -> None:
    values = by_day(np.random.default_rng(seed).gamma(2, 100, DAYS))
    days = [one.day for one in found(values, deviations=3)]
    scaled = {day: value * unit for day, value in values.items()}
    assert [one.day for one in found(scaled, deviations=3)] == days


def test_many_unusual_days_before_hide_none() -> None:
    values = by_day(np.random.default_rng(3).normal(1_000, 50, DAYS))
    for number in range(0, HISTORY_DAYS, 4):  # a quarter of the history
        values[FIRST + timedelta(days=number)] *= 8
    values[JUDGED[20]] = 3_000
    assert JUDGED[20] in {one.day for one in found(values)}


def test_a_new_level_is_news_for_a_week() -> None:
    values = by_day(np.random.default_rng(4).normal(1_000, 50, DAYS))
    values |= {day: values[day] * 3 for day in JUDGED[10:]}
    assert [one.day for one in found(values)] == JUDGED[10:17]


def test_where_nothing_ever_moved_a_little_is_no_news() -> None:
    values = by_day(np.full(DAYS, 500.0)) | {JUDGED[3]: 540.0, JUDGED[5]: 600.0}
    assert [one.day for one in found(values)] == [JUDGED[5]]


def test_days_without_a_value_are_not_zero() -> None:
    values = by_day(np.random.default_rng(5).normal(1_000, 50, DAYS))
    for day in JUDGED[5:9]:
        del values[day]
    assert found(values) == ()


def test_a_day_needs_days_before_it() -> None:
    values = by_day(np.full(DAYS, 500.0))
    few = dict(list(values.items())[: LEAST_DAYS + 1])
    last = max(few)
    assert list(bands(few, [*few], deviations=5, counts=False)) == [last]
