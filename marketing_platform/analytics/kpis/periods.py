"""Days: periods, what they are compared with, and the weeks, months and quarters they fall into.

Weeks are ISO 8601's: from Monday on, the first of a year holds its first Thursday. Words for periods belong
to `analytics/questions`.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from marketing_platform.errors import KpiError

Bucket = Literal["day", "week", "month", "quarter"]
_MONTHS_OF_QUARTER = 3
_LONGEST = 366 * 50  # days; a longer period is a slip of the pen


@dataclass(frozen=True, order=True)
class Period:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise KpiError(f"a period from {self.first} to {self.last} ends before it begins")
        if self.days > _LONGEST:
            raise KpiError(f"a period from {self.first} to {self.last} is longer than 50 years")

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=passed) for passed in range(self.days))

    def before(self) -> Period:
        """As many days, directly before."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    def year_before(self) -> Period:
        """The same days of the year before; what ends with a month does so then, too, 29 February or not."""
        ends_month = self.last.day == calendar.monthrange(self.last.year, self.last.month)[1]
        last = _year_earlier(self.last)
        if ends_month:
            last = last.replace(day=calendar.monthrange(last.year, last.month)[1])
        return Period(_year_earlier(self.first), last)

    def missing(self, present: Collection[date]) -> list[date]:
        """The days of the period that are not among `present`, in order."""
        return [day for day in self if day not in present]


@dataclass(frozen=True)
class Span:
    """A week, month or quarter as a period has it: partial when it sticks out of the period or the data."""

    label: str  # 2025-06-01, 2025-W23, 2025-06, 2025-Q2
    period: Period  # all its days
    partial: bool


def span_of(day: date, bucket: Bucket) -> Period:
    """The bucket that a day falls into, all its days."""
    if bucket == "day":
        return Period(day, day)
    if bucket == "week":
        monday = day - timedelta(days=day.weekday())
        return Period(monday, monday + timedelta(days=6))
    if bucket == "month":
        return month(day.year, day.month)
    return quarter(day.year, (day.month - 1) // _MONTHS_OF_QUARTER + 1)


def label_of(day: date, bucket: Bucket) -> str:
    """What the bucket of a day is called; labels sort like the days do."""
    if bucket == "day":
        return day.isoformat()
    if bucket == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    if bucket == "month":
        return f"{day:%Y-%m}"
    return f"{day.year}-Q{(day.month - 1) // _MONTHS_OF_QUARTER + 1}"


def spans(period: Period, bucket: Bucket, *, last_day: date) -> list[Span]:
    """All buckets that a period touches, in order; `last_day` is the last one with data."""
    found: dict[str, Span] = {}
    for day in period:
        whole = span_of(day, bucket)
        inside = period.first <= whole.first and whole.last <= min(period.last, last_day)
        found.setdefault(label_of(day, bucket), Span(label_of(day, bucket), whole, partial=not inside))
    return list(found.values())


def month(year: int, number: int) -> Period:
    """A calendar month."""
    return Period(date(year, number, 1), date(year, number, calendar.monthrange(year, number)[1]))


def quarter(year: int, number: int) -> Period:
    """A calendar quarter, 1 to 4."""
    last = number * _MONTHS_OF_QUARTER
    return Period(month(year, last - 2).first, month(year, last).last)


def year(number: int) -> Period:
    """A calendar year."""
    return Period(date(number, 1, 1), date(number, 12, 31))


def last_days(anchor: date, count: int) -> Period:
    """The `count` days that end with `anchor`."""
    return Period(anchor - timedelta(days=count - 1), anchor)


def _year_earlier(day: date) -> date:
    last = calendar.monthrange(day.year - 1, day.month)[1]
    return day.replace(year=day.year - 1, day=min(day.day, last))
