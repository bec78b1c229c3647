"""The days of a question: which are asked about and which compared with, from all the words that say when.

What single words mean is in `dates.py`, what lies before a period in `periods.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from marketing_platform.analytics.kpis import Period
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.date_words import DateWords
from marketing_platform.analytics.questions.intent import AskedPeriod, Comparison, Intent
from marketing_platform.analytics.questions.periods import (
    Clock,
    Unit,
    before,
    compared,
    moved,
    named,
    unit_of,
    within_data,
    year_before,
)
from marketing_platform.analytics.questions.pieces import Pieces
from marketing_platform.analytics.questions.refusal import NotUnderstood

_CALENDAR = ("week", "month", "quarter", "half", "year")


class Days:
    """Works out the days of one question; what it decides by itself is added to `notes`."""

    def __init__(
        self, pieces: Pieces, context: Intent | None, clock: Clock, default_days: int, notes: list[str]
    ) -> None:
        self._pieces, self._context, self._clock = pieces, context, clock
        self._default_days, self._notes = default_days, notes

    def asked(self) -> tuple[AskedPeriod, Comparison | None]:
        """The days asked about, and those compared with.

        Raises:
            NotUnderstood: There is no data for them, or they can be read in two ways.
        """
        pieces, context = self._pieces, self._context
        dates, against = list(pieces.dates), list(pieces.against)
        if pieces.compare and len(dates) == 2 and not against:  # noqa: PLR2004 -- this with that
            against = [dates.pop()]
            if not pieces.literal_order:
                dates, against = self._later_first(dates[0], against[0])
        dates, against = self._ends_of_change(dates, against)
        if len(dates) > 1:
            said = " and ".join(one.words for one in dates[:3])
            raise NotUnderstood(
                f"more than one period: {said}",
                (f"{dates[0].words} vs {dates[1].words}", f"from {dates[0].words} to …"),
            )
        if len(against) > 1:
            raise NotUnderstood("a question compares with one period; this names more")
        period = self._period(dates, against)
        if against:
            return period, self._against(period, against[0], dates)
        if pieces.before is not None or pieces.change:
            return period, self._before(period)
        if context is not None and context.comparison is not None:
            return period, self._kept(period, context.comparison, moved_on=bool(dates))
        return period, None

    def _period(self, dates: Sequence[DateWords], against: Sequence[DateWords]) -> AskedPeriod:
        clock = self._clock
        if dates:
            return within_data(*dates[0].resolve(clock), clock)
        if self._context is not None:
            return self._context.period
        unit: Unit | None = self._pieces.before_unit or (against[0].back if against else None)
        if unit is not None:
            return within_data(unit, unit_of(clock.today, unit), clock)
        if (self._pieces.change or self._pieces.before) and any(
            one in TIME_BUCKETS for one in self._pieces.by
        ):
            raise NotUnderstood("the change between which days? say when", ("this quarter vs last quarter",))
        days = self._default_days
        period = Period(clock.today - timedelta(days=days - 1), clock.today)
        self._notes.append(f"no days were named: the last {days} days until {clock.today}")
        return within_data("days", period, clock)

    def _before(self, period: AskedPeriod) -> Comparison:
        unit = self._pieces.before_unit
        if unit is not None and period.kind != unit:
            raise NotUnderstood(
                f"{named(period.days)} is no {unit}; say which days to compare with, or the period before"
            )
        if self._pieces.before == "year_before":
            return year_before(period, self._clock)
        return before(period, self._clock)

    def _against(self, period: AskedPeriod, words: DateWords, dates: Sequence[DateWords]) -> Comparison:
        clock = self._clock
        if words.back is not None:
            return self._back(period, words, words.back)
        if words.count is not None:
            if words.count == period.days.days:
                return before(period, clock)
            return compared(
                "explicit",
                Period(period.first - timedelta(days=words.count), period.first - timedelta(days=1)),
                clock,
            )
        year_said = dates[0].year_said if dates else None
        own = (
            clock if words.year_said or not year_said else Clock(period.last, clock.first_day, clock.last_day)
        )
        _, found = words.resolve(own)
        return compared("explicit", found, clock)

    def _back(self, period: AskedPeriod, words: DateWords, unit: Unit) -> Comparison:
        """Compared with last month, the previous month, last year."""
        clock = self._clock
        relative = words.words.split()[0] != "last"
        if unit == "year" and period.kind != "year":
            return year_before(period, clock)
        if relative or period.kind not in _CALENDAR:
            if period.kind == unit:
                return before(period, clock)
            return compared("explicit", moved(period.first, unit, -1), clock)
        return compared("explicit", words.resolve(clock)[1], clock)

    def _kept(self, period: AskedPeriod, kept: Comparison, *, moved_on: bool) -> Comparison | None:
        if not moved_on:
            return kept
        if kept.kind == "explicit":
            self._notes.append("other days than before: nothing is compared")
            return None
        return before(period, self._clock) if kept.kind == "previous" else year_before(period, self._clock)

    def _later_first(self, one: DateWords, other: DateWords) -> tuple[list[DateWords], list[DateWords]]:
        first, second = one.resolve(self._clock)[1], other.resolve(self._clock)[1]
        return ([one], [other]) if first > second else ([other], [one])

    def _ends_of_change(
        self, dates: list[DateWords], against: list[DateWords]
    ) -> tuple[list[DateWords], list[DateWords]]:
        """`rose from April to May` compares May with April; `rose from 3 to 17 June` does not."""
        changes = self._pieces.why or self._pieces.change
        if changes and len(dates) == 1 and not against and dates[0].ends is not None:
            first, last = dates[0].ends
            kinds = {one.resolve(self._clock)[0] for one in (first, last)}
            if len(kinds) == 1 and kinds <= set(_CALENDAR):
                return [last], [first]
        return dates, against
