"""What words for days mean on a calendar: units, what lies before a period, and what of it there is data for.

Which words there are belongs to `dates.py`.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from marketing_platform.analytics.kpis.periods import Period, last_days, month, quarter, span_of, year
from marketing_platform.analytics.questions.intent import AskedPeriod, Comparison, PeriodKind
from marketing_platform.analytics.questions.refusal import NotUnderstood

Unit = Literal["day", "week", "month", "quarter", "half", "year"]
_FIRST_OF_SECOND_HALF = 7


@dataclass(frozen=True)
class Clock:
    """What `today` is, and which days there is data of."""

    today: date  # the last day of data unless told otherwise
    first_day: date
    last_day: date


def unit_of(day: date, unit: Unit) -> Period:
    """The week, month, … that a day is in."""
    if unit == "year":
        return year(day.year)
    if unit == "half":
        return half(day.year, 1 if day.month < _FIRST_OF_SECOND_HALF else 2)
    return span_of(day, unit)


def half(of_year: int, number: int) -> Period:
    """Half a year, 1 or 2."""
    return Period(quarter(of_year, 2 * number - 1).first, quarter(of_year, 2 * number).last)


def moved(day: date, unit: Unit, count: int) -> Period:
    """The unit `count` units after (before, when negative) the one that `day` is in."""
    period = unit_of(day, unit)
    step = timedelta(days=1)
    for _ in range(abs(count)):
        period = unit_of(period.first - step if count < 0 else period.last + step, unit)
    return period


def rolling(today: date, unit: Unit, count: int) -> Period:
    """The last `count` units that end with today: days, weeks of 7 days, months back to the same day."""
    if unit in ("day", "week"):
        return last_days(today, count * (1 if unit == "day" else 7))
    months = count * {"month": 1, "quarter": 3, "half": 6, "year": 12}[unit]
    number = today.year * 12 + today.month - 1 - months
    days = calendar.monthrange(number // 12, number % 12 + 1)[1]
    ends_month = today.day == calendar.monthrange(today.year, today.month)[1]
    before = date(number // 12, number % 12 + 1, days if ends_month else min(today.day, days))
    return Period(before + timedelta(days=1), today)


def within_data(kind: PeriodKind, period: Period, clock: Clock) -> AskedPeriod:
    """The period as far as there is data; NotUnderstood when there is none of it, or it is yet to come."""
    if period.first > clock.last_day:
        raise NotUnderstood(
            f"{named(period)} lies after the last day of data, {clock.last_day}",
            (f"until {clock.last_day} there is data, from {clock.first_day} on",),
        )
    if period.last < clock.first_day:
        raise NotUnderstood(
            f"there is no data for {named(period)}; it begins on {clock.first_day}",
            (f"data is there from {clock.first_day} to {clock.last_day}",),
        )
    return AskedPeriod(kind=kind, first=period.first, last=min(period.last, clock.last_day))


def before(asked: AskedPeriod, clock: Clock) -> Comparison:
    """What lies directly before: the month before a month, as many days before any other days.

    Of a month (week, quarter, …) that is not over, as many days of the one before are compared with.
    """
    units: dict[PeriodKind, Unit] = {
        "week": "week",
        "month": "month",
        "quarter": "quarter",
        "half": "half",
        "year": "year",
    }
    unit = units.get(asked.kind)
    if unit is None:
        period = asked.days.before()
    else:
        period = moved(asked.first, unit, -1)
        if asked.last < unit_of(asked.first, unit).last:
            last = min(period.last, period.first + timedelta(days=asked.days.days - 1))
            period = Period(period.first, last)
    return compared("previous", period, clock)


def year_before(asked: AskedPeriod, clock: Clock) -> Comparison:
    """The same days a year before."""
    return compared("year_before", asked.days.year_before(), clock)


def compared(
    kind: Literal["previous", "year_before", "explicit"], period: Period, clock: Clock
) -> Comparison:
    """A comparison that there is data for."""
    if period.last < clock.first_day or period.first > clock.last_day:
        raise NotUnderstood(
            f"there is no data for {named(period)} to compare with; data is there from {clock.first_day}"
            f" to {clock.last_day}"
        )
    return Comparison(kind=kind, first=period.first, last=min(period.last, clock.last_day))


def named(period: Period) -> str:
    """A period for people."""
    first, last = period.first, period.last
    if first == last:
        return first.isoformat()
    if period == month(first.year, first.month):
        return f"{first:%B %Y}"
    if period == year(first.year):
        return str(first.year)
    if period == quarter(first.year, (first.month - 1) // 3 + 1):
        return f"Q{(first.month - 1) // 3 + 1} {first.year}"
    return f"{first} to {last}"
