"""What words for days stand for, before it is known what today is: fixed days, or days seen from today.

Which words make them is the grammar's business (`dates.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from marketing_platform.analytics.kpis.periods import Period, month
from marketing_platform.analytics.questions.intent import PeriodKind
from marketing_platform.analytics.questions.periods import Clock, Unit
from marketing_platform.analytics.questions.refusal import NotUnderstood
from marketing_platform.errors import KpiError

Found = tuple[PeriodKind, Period]


@dataclass(frozen=True)
class DateWords:
    """Some tokens that say when."""

    words: str
    resolve: Callable[[Clock], Found]
    back: Unit | None = None  # last month, previous week: seen from what they are compared with, if anything
    count: int | None = None  # of days in `last 30 days`
    ends: tuple[DateWords, DateWords] | None = None  # from May to June
    year_said: int | None = None
    month_said: int | None = None


def fixed(
    kind: PeriodKind,
    said: str,
    make: Callable[[], Period],
    *,
    year_said: int | None = None,
    month_said: int | None = None,
) -> DateWords:
    """Days that do not depend on today; refused when there are no such days."""
    try:
        period = make()
    except (ValueError, KpiError, OverflowError):
        raise NotUnderstood(f"{said}: there are no such days") from None
    return DateWords(said, lambda _: (kind, period), year_said=year_said, month_said=month_said)


def part_of_year(
    said: str,
    kind: PeriodKind,
    of_year: int | None,
    make: Callable[[int], Period],
    month_said: int | None = None,
) -> DateWords:
    """A part of a year; of the latest in which it has begun when no year is said."""
    if of_year is not None:
        return fixed(kind, said, lambda: make(of_year), year_said=of_year, month_said=month_said)

    def resolve(clock: Clock) -> Found:
        this = make(clock.today.year)
        return kind, this if this.first <= clock.today else make(clock.today.year - 1)

    return DateWords(said, resolve, month_said=month_said)


def day_of_month(number: int, of_month: int, of_year: int | None, said: str) -> DateWords:
    """One day; of the latest year in which it has been when no year is said."""
    if of_year is not None:
        day = day_or_refused(of_year, of_month, number, said)
        return fixed("day", said, lambda: single_day(day), year_said=of_year, month_said=of_month)

    def resolve(clock: Clock) -> Found:
        return "day", single_day(_latest(number, of_month, clock.today, said))

    return DateWords(said, resolve, month_said=of_month)


def _latest(number: int, of_month: int, today: date, said: str) -> date:
    for candidate in range(today.year, today.year - 9, -1):
        try:
            found = date(candidate, of_month, number)
        except ValueError:
            continue
        if found <= today:
            return found
    raise NotUnderstood(f"{said}: there is no such day")


def days_of_month(first: int, last: int, of_month: int, of_year: int | None, said: str) -> DateWords:
    """3 to 17 June."""

    def resolve(clock: Clock) -> Found:
        chosen = (
            of_year
            or part_of_year("", "month", None, lambda year_: month(year_, of_month))
            .resolve(clock)[1]
            .first.year
        )
        return "range", _ordered(
            day_or_refused(chosen, of_month, first, said), day_or_refused(chosen, of_month, last, said), said
        )

    return DateWords(said, resolve)


def between(first: DateWords, last: DateWords, said: str) -> DateWords:
    """From the first day of one to the last of the other."""

    def resolve(clock: Clock) -> Found:
        start, end = first.resolve(clock)[1], last.resolve(clock)[1]
        if first.month_said is not None and last.month_said is not None:
            wraps = int(first.month_said > last.month_said)
            if first.year_said is None and last.year_said is not None:
                start = _in_year(start, end.first.year - wraps, said)
            elif last.year_said is None:
                end = _in_year(end, start.first.year + wraps, said)
                if wraps and end.first > clock.today:
                    raise NotUnderstood(f"{said}: say the years")
        return "range", _ordered(start.first, end.last, said)

    return DateWords(said, resolve, ends=(first, last))


def _in_year(period: Period, chosen: int, said: str) -> Period:
    """The same month or day of another year."""
    if period.days > 1:
        return month(chosen, period.first.month)
    return single_day(day_or_refused(chosen, period.first.month, period.first.day, said))


def since(one: DateWords, said: str, *, following: bool) -> DateWords:
    """From its first day until today; behind its last day when `following`."""

    def resolve(clock: Clock) -> Found:
        _, period = one.resolve(clock)
        first = period.last + timedelta(days=1) if following else period.first
        if first > clock.today:
            raise NotUnderstood(f"{said}: that has not begun by {clock.today}, the last day of data")
        return "range", Period(first, clock.today)

    return DateWords(said, resolve)


def until(one: DateWords, said: str, *, leading: bool) -> DateWords:
    """From the first day of data to its last day; to the day before it when `leading`."""

    def resolve(clock: Clock) -> Found:
        _, period = one.resolve(clock)
        last = period.first - timedelta(days=1) if leading else period.last
        if last < clock.first_day:
            raise NotUnderstood(f"{said}: data begins on {clock.first_day} only")
        return "range", Period(clock.first_day, last)

    return DateWords(said, resolve)


def _ordered(first: date, last: date, said: str) -> Period:
    if last < first:
        raise NotUnderstood(f"{said}: {first} to {last} ends before it begins")
    try:
        return Period(first, last)
    except KpiError as error:
        raise NotUnderstood(str(error)) from None


def numeric_date(text: str) -> DateWords:
    """17.06.2025 and 17/06/2025; refused when day and month may be either way round."""
    if "." in text:
        number, of_month, of_year = (int(part) for part in text.split("."))
    else:
        one, other, of_year = (int(part) for part in text.split("/"))
        if one <= 12 and other <= 12 and one != other:  # noqa: PLR2004
            raise NotUnderstood(
                f"{text} is one day in Europe and another in America; write it as 2025-06-03 or 3 June 2025"
            )
        number, of_month = (one, other) if one > 12 or one == other else (other, one)  # noqa: PLR2004
        of_year += 2000 if of_year < 100 else 0  # noqa: PLR2004
    day = day_or_refused(of_year, of_month, number, text)
    return fixed("day", text, lambda: single_day(day), year_said=of_year, month_said=of_month)


def iso_week(of_year: int, number: int, said: str) -> DateWords:
    """A week of ISO 8601."""
    found = week_or_none(of_year, number)
    if found is None:
        raise NotUnderstood(f"{said}: {of_year} has no week {number}")
    return fixed("week", said, lambda: found, year_said=of_year)


def week_or_none(of_year: int, number: int) -> Period | None:
    """A week of ISO 8601, or None when the year has no such week."""
    try:
        monday = date.fromisocalendar(of_year, number, 1)
    except ValueError:
        return None
    return Period(monday, monday + timedelta(days=6))


def day_or_refused(of_year: int, of_month: int, number: int, said: str) -> date:
    """The day; refused when there is none."""
    try:
        return date(of_year, of_month, number)
    except ValueError:
        raise NotUnderstood(f"{said}: there is no such day") from None


def single_day(day: date) -> Period:
    """A period of one day."""
    return Period(day, day)
