"""Which days lie far outside what the days before them let expect: robust, seasonal, and nothing of KPIs.

A day is judged by the twelve weeks before it alone. Through them goes the line of Theil and Sen (P. K. Sen,
"Estimates of the regression coefficient based on Kendall's tau", 1968), on it the median of each weekday
where weekdays explain something, and around it 1.4826 x the median absolute deviation (F. R. Hampel, "The
influence curve and its role in robust estimation", 1974): many of the days before may be unusual themselves.
What cannot be negative is judged by square roots (M. S. Bartlett, "The square root transformation in analysis
of variance", 1936), which takes out most of the skew of amounts and makes the spread of counts a known one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

HISTORY_DAYS = 84
LEAST_DAYS = 28  # of them, with a value
NEW_LEVEL_DAYS = 7  # in a row on one side; what follows is no longer news
_LEAST_OF_WEEKDAY = 4
# Medians of weekdays fit the few days that they are made of too well: measured on noise of known spread.
_FITTED = 1.3
_LEAST_CHANGE = 0.1  # of what was expected: less is not worth telling, however quiet the days before were
_SPREAD_OF_COUNTS = 0.5  # of square roots of counts, by chance alone
_NORMAL = 1.4826  # median absolute deviations of a normal distribution make a standard deviation
_NORMAL_MEAN = 1.2533  # and mean ones


@dataclass(frozen=True)
class Band:
    """What a day was expected to be, in the unit of the values."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Outlier:
    """A day outside its band."""

    day: date
    value: float
    band: Band


def bands(
    values: Mapping[date, float], judged: Iterable[date], *, deviations: float, counts: bool
) -> dict[date, Band]:
    """What was expected of the judged days, in order; days without a value or enough history are not there.

    Args:
        values: Of all days that have one; those without are not judged and are not taken for 0.
        judged: Days to judge. The values of all others are history only.
        deviations: Robust standard deviations from what was expected, beyond which a day is unusual.
        counts: The values are counts of things that happen by chance.
    """
    found = {
        day: expected(values, day, deviations=deviations, counts=counts)
        for day in sorted(set(judged))
        if day in values
    }
    return {day: band for day, band in found.items() if band is not None}


def outliers(values: Mapping[date, float], expected_of: Mapping[date, Band]) -> tuple[Outlier, ...]:
    """The days outside their bands, which come in order.

    After a week on one side the level is taken for new: its further days are not told.
    """
    found: list[Outlier] = []
    side, in_a_row = 0, 0
    for day, band in expected_of.items():
        now = (values[day] > band.high) - (values[day] < band.low)
        side, in_a_row = now, in_a_row + 1 if now and now == side else abs(now)
        if now and in_a_row <= NEW_LEVEL_DAYS:
            found.append(Outlier(day, values[day], band))
    return tuple(found)


def expected(values: Mapping[date, float], day: date, *, deviations: float, counts: bool) -> Band | None:
    """What the twelve weeks before a day let expect of it; None when they have too few values."""
    before = [
        past for past in (day - timedelta(days=ago) for ago in range(HISTORY_DAYS, 0, -1)) if past in values
    ]
    if len(before) < LEAST_DAYS:
        return None
    plain = np.array([values[past] for past in before])
    rooted = bool((plain >= 0).all()) and values.get(day, 0) >= 0
    levels = np.sqrt(plain) if rooted else plain
    days = np.array([(past - day).days for past in before], dtype=np.float64)
    level, left = _line(days, levels)
    weekdays = np.array([past.weekday() for past in before])
    level, left = _with_weekdays(level, left, weekdays, day.weekday())
    spread = _spread(left)
    if rooted and counts:
        spread = max(spread, _SPREAD_OF_COUNTS)
    return _band(level, deviations * spread, rooted=rooted)


def _line(days: Floats, levels: Floats) -> tuple[float, Floats]:
    """The line of Theil and Sen: its level at day 0, and what it leaves unexplained."""
    earlier, later = np.triu_indices(len(days), 1)
    slope = float(np.median((levels[later] - levels[earlier]) / (days[later] - days[earlier])))
    level = float(np.median(levels - slope * days))
    return level, levels - slope * days - level


def _with_weekdays(
    level: float, left: Floats, weekdays: np.ndarray[Any, Any], weekday: int
) -> tuple[float, Floats]:
    """The level of a weekday where weekdays differ, and what is then left unexplained."""
    effects = np.zeros(7)
    for one in range(7):
        of_weekday = left[weekdays == one]
        if len(of_weekday) >= _LEAST_OF_WEEKDAY:
            effects[one] = np.median(of_weekday)
    unexplained = _FITTED * (left - effects[weekdays])
    if _spread(unexplained) >= _spread(left):
        return level, left
    return level + float(effects[weekday]), unexplained


def _spread(left: Floats) -> float:
    """A standard deviation that outliers hardly change; the mean deviation where half the days are alike."""
    deviation = np.abs(left - np.median(left))
    return float(_NORMAL * np.median(deviation) or _NORMAL_MEAN * np.mean(deviation))


def _band(level: float, width: float, *, rooted: bool) -> Band:
    if rooted:
        level = max(level, 0.0)
        middle, low, high = level**2, max(level - width, 0.0) ** 2, (level + width) ** 2
    else:
        middle, low, high = level, level - width, level + width
    least = _LEAST_CHANGE * abs(middle)
    return Band(middle, min(low, middle - least), max(high, middle + least))
