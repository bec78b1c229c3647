"""Words for days: a small grammar of its own, from tokens to days once it is known what today is.

`last month` is the calendar month before, `last 3 months` goes back to the same day three months ago,
`last 2 weeks` are 14 days that end today. A month without a year is the latest that has begun. What is
ambiguous (03/04/2025, last May) or impossible (30 February, Q5) is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from marketing_platform.analytics.kpis.periods import Period, month, quarter, year
from marketing_platform.analytics.questions.date_words import (
    DateWords,
    Found,
    between,
    day_of_month,
    day_or_refused,
    days_of_month,
    fixed,
    iso_week,
    numeric_date,
    part_of_year,
    since,
    single_day,
    until,
    week_or_none,
)
from marketing_platform.analytics.questions.periods import Clock, Unit, half, moved, rolling, unit_of
from marketing_platform.analytics.questions.refusal import NotUnderstood
from marketing_platform.analytics.questions.text import Token

_MONTH_NAMES = [
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]  # fmt: skip
MONTHS = {
    **{name: number for number, name in enumerate(_MONTH_NAMES, 1)},
    **{name[:3]: number for number, name in enumerate(_MONTH_NAMES, 1)},
    "sept": 9,
}
_NUMBERS = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], 1
    )
}
_UNITS: dict[str, Unit] = {
    **{name: name for name in ("day", "week", "month", "quarter", "year")},  # pyright: ignore[reportAssignmentType]
    **{f"{name}s": name for name in ("day", "week", "month", "quarter", "year")},  # pyright: ignore[reportAssignmentType]
}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_TO_DATE: dict[str, Unit] = {"mtd": "month", "qtd": "quarter", "ytd": "year", "wtd": "week"}
_BACK = ("last", "past", "previous", "prior", "preceding", "recent")
_TO = ("to", "until", "till", "through", "thru", "and")
_FROM_YEAR, _TO_YEAR = 1990, 2100
_LONGEST_COUNT = 4_000


Match = tuple[DateWords, int]  # and the place of the token behind


def date_words(tokens: Sequence[Token], at: int, *, ranges: bool = True) -> Match | None:
    """The longest words for days that begin at a place, or None.

    Args:
        tokens: The question.
        at: Where to begin.
        ranges: Whether `May to June` means all days of both; not when two periods are compared.

    Raises:
        NotUnderstood: They say when, but there are no such days, or it can be read in two ways.
    """
    reading = _Reading(tokens)
    return (reading.range(at) if ranges else None) or reading.single(at)


class _Reading:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens

    def range(self, at: int) -> Match | None:
        word = self._key(at)
        if word in ("between", "from", "starting"):
            start = self._skip(at + 1, "from", "on", "in")
            return self._short(start, at) or self._joined(start, at, word) or self._onwards(start, at, word)
        if word in ("since", "after", "until", "till", "through", "thru", "before") or (
            word == "up" and self._key(at + 1) == "to"
        ):
            return self._open(at, word)
        return self._short(at, at) or self._joined(at, at, word)

    def _joined(self, start: int, at: int, word: str) -> Match | None:
        first = self.single(start)
        if first is None:
            return None
        joint = self._key(first[1])
        is_joint = self._kind(first[1]) == "to" or joint in _TO
        if not is_joint or (joint == "and") != (word == "between"):
            return None
        last = self.single(first[1] + 1)
        if last is None:
            return None
        return between(first[0], last[0], self._said(at, last[1])), last[1]

    def _onwards(self, start: int, at: int, word: str) -> Match | None:
        first = self.single(start)
        if first is None:
            return None
        end = self._skip(first[1], "on", "onward", "onwards", limit=1)
        if end > first[1] or word == "starting":
            return since(first[0], self._said(at, end), following=False), end
        if word == "between":
            raise NotUnderstood(f"between {first[0].words} and when?")
        raise NotUnderstood(
            f"“from {first[0].words}” can be read in two ways",
            (f"in {first[0].words}", f"since {first[0].words}", f"from {first[0].words} to …"),
        )

    def _open(self, at: int, word: str) -> Match | None:
        start = self._skip(at + (2 if word == "up" else 1), "the")
        one = self.single(start)
        if one is None:
            return None
        said = self._said(at, one[1])
        if word in ("since", "after"):
            return since(one[0], said, following=word == "after"), one[1]
        return until(one[0], said, leading=word == "before"), one[1]

    def _short(self, start: int, at: int) -> Match | None:
        """3 to 17 June, 3-17 June 2025, June 3 to 17."""
        start = self._skip(start, "the")
        first = self._day_number(start)
        if first is not None and self._is_to(start + 1):
            second, end = self._day_number(self._skip(start + 2, "the")), self._skip(start + 2, "the") + 1
            end = self._skip(end, "of")
            number = MONTHS.get(self._key(end))
            if second is not None and number is not None:
                of_year, end = self._year(end + 1)
                return days_of_month(first, second, number, of_year, self._said(at, end)), end
        number = MONTHS.get(self._key(start))
        first, second = self._day_number(start + 1), self._day_number(start + 3)
        if number and first and second and self._is_to(start + 2) and self._key(start + 4) not in MONTHS:
            of_year, end = self._year(start + 4)
            return days_of_month(first, second, number, of_year, self._said(at, end)), end
        return None

    def single(self, at: int) -> Match | None:
        """One day, week, month, … or so many of them until today."""
        at = self._skip(at, "the")
        for reads in (
            self._iso, self._relative, self._to_date, self._quarter, self._half, self._week,
            self._day_of_month, self._month, self._of_year, self._all,
        ):  # fmt: skip
            found = reads(at)
            if found is not None:
                return found
        return None

    def _iso(self, at: int) -> Match | None:
        kind, text = self._kind(at), self._key(at)
        if kind == "numeric":
            return numeric_date(text), at + 1
        if kind != "iso":
            return None
        if "w" in text:
            of_year, number = text.replace("-", "").split("w")
            return iso_week(int(of_year), int(number), text), at + 1
        parts = [int(part) for part in text.split("-")]
        if len(parts) == 2:  # noqa: PLR2004 -- year and month
            return fixed("month", text, lambda: month(parts[0], parts[1]), year_said=parts[0]), at + 1
        day = day_or_refused(parts[0], parts[1], parts[2], text)
        return fixed("day", text, lambda: Period(day, day), year_said=day.year, month_said=day.month), at + 1

    def _relative(self, at: int) -> Match | None:
        word = self._key(at)
        if word in ("today", "yesterday"):
            back = int(word == "yesterday")
            return DateWords(
                word, lambda clock: ("day", single_day(clock.today - timedelta(days=back)))
            ), at + 1
        if [self._key(at + place) for place in range(3)] == ["day", "before", "yesterday"]:
            return DateWords(
                "day before yesterday", lambda clock: ("day", single_day(clock.today - timedelta(days=2)))
            ), at + 3
        if word in _BACK:
            return self._back(at, word)
        following = self._key(at + 1)
        if word in ("this", "current") and following in _UNITS:
            unit = _UNITS[following]
            return DateWords(f"this {unit}", lambda clock: (unit, unit_of(clock.today, unit))), at + 2
        if word in ("next", "coming", "upcoming"):
            raise NotUnderstood(
                f"“{word} …” lies after the last day of data: questions are about what was, and what is"
                " expected is told by forecasts"
            )
        return None

    def _back(self, at: int, word: str) -> Match | None:
        counted = self._number(at + 1)
        if counted is not None and self._key(at + 2) in _UNITS:
            unit = _UNITS[self._key(at + 2)]
            if not 1 <= counted <= _LONGEST_COUNT:
                raise NotUnderstood(f"{word} {counted} {unit}s: say a number between 1 and {_LONGEST_COUNT}")
            said = f"{word} {counted} {unit}s"
            days = counted * {"day": 1, "week": 7}.get(unit, 0) or None
            return DateWords(
                said, lambda clock: ("days", rolling(clock.today, unit, counted)), count=days
            ), at + 3
        following = self._key(at + 1)
        if following in _UNITS and not following.endswith("s"):
            unit = _UNITS[following]
            if word in ("past", "recent"):
                return DateWords(
                    f"past {unit}", lambda clock: ("days", rolling(clock.today, unit, 1))
                ), at + 2
            return DateWords(
                f"{word} {unit}", lambda clock: (unit, moved(clock.today, unit, -1)), back=unit
            ), at + 2
        if following in MONTHS:
            raise NotUnderstood(
                f"“{word} {self._tokens[at + 1].text}” can be read in two ways; say the year",
                (f"{self._tokens[at + 1].text} 2025",),
            )
        return None

    def _to_date(self, at: int) -> Match | None:
        word = self._key(at)
        end = at + 1
        if word in _UNITS and self._key(at + 1) == "to" and self._key(at + 2) == "date":
            unit, end = _UNITS[word], at + 3
        elif word in _TO_DATE:
            unit = _TO_DATE[word]
        else:
            return None
        return DateWords(f"{unit} to date", lambda clock: (unit, unit_of(clock.today, unit))), end

    def _quarter(self, at: int) -> Match | None:
        number, end = self._named_number(at, "q", "quarter")
        if number is None:
            return None
        of_year, end = self._year(self._skip(end, "of"))
        said = self._said(at, end)
        if not 1 <= number <= 4:  # noqa: PLR2004
            raise NotUnderstood(f"{said}: a year has four quarters")
        return part_of_year(said, "quarter", of_year, lambda chosen: quarter(chosen, number)), end

    def _half(self, at: int) -> Match | None:
        number, end = self._named_number(at, "h", "half")
        if number is None:
            return None
        of_year, end = self._year(self._skip(end, "of"))
        said = self._said(at, end)
        if number not in (1, 2):
            raise NotUnderstood(f"{said}: a year has two halves")
        return part_of_year(said, "half", of_year, lambda chosen: half(chosen, number)), end

    def _named_number(self, at: int, letter: str, name: str) -> tuple[int | None, int]:
        """q2, quarter 2, second quarter."""
        short = re.fullmatch(rf"{letter}(\d{{1,2}})", self._key(at))
        if short:
            return int(short[1]), at + 1
        if self._key(at) == name and self._digits(at + 1, 2) is not None:
            return self._digits(at + 1, 2), at + 2
        if self._key(at) in _ORDINALS and self._key(at + 1) == name:
            return _ORDINALS[self._key(at)], at + 2
        return None, at

    def _week(self, at: int) -> Match | None:
        start = at + 1 if self._key(at) in ("calendar", "iso") else at
        short = re.fullmatch(r"c?w(\d{1,2})", self._key(start))
        if short:
            number, end = int(short[1]), start + 1
        elif self._key(start) == "week" and self._digits(start + 1, 2) is not None:
            number, end = self._digits(start + 1, 2), start + 2
        else:
            return None
        assert number is not None  # noqa: S101 -- both ways give one
        of_year, end = self._year(self._skip(end, "of"))
        said = self._said(at, end)
        if of_year is not None:
            return iso_week(of_year, number, said), end
        if not 1 <= number <= 53:  # noqa: PLR2004
            raise NotUnderstood(f"{said}: weeks go from 1 to 53")

        def resolve(clock: Clock) -> Found:
            for candidate in range(clock.today.isocalendar()[0], clock.today.year - 7, -1):
                found = week_or_none(candidate, number)
                if found is not None and found.first <= clock.today:
                    return "week", found
            raise NotUnderstood(f"{said}: no year lately had such a week")

        return DateWords(said, resolve), end

    def _day_of_month(self, at: int) -> Match | None:
        number = self._day_number(at)
        named_first = MONTHS.get(self._key(at))
        if number is not None:
            place = self._skip(at + 1, "of")
            of_month = MONTHS.get(self._key(place))
            end = place + 1
        elif named_first is not None:
            number, of_month = self._day_number(self._skip(at + 1, "the")), named_first
            end = self._skip(at + 1, "the") + 1
        else:
            return None
        if number is None or of_month is None:
            return None
        after_comma = self._skip(end, ",")
        of_year, later = self._year(after_comma)
        return day_of_month(number, of_month, of_year, self._said(at, later if of_year else end)), (
            later if of_year else end
        )

    def _month(self, at: int) -> Match | None:
        start = self._skip(at + 1, "of") if self._key(at) == "month" else at
        if self._key(at) == "month" and start == at + 1:
            return None
        number = MONTHS.get(self._key(start))
        if number is None:
            return None
        of_year, end = self._year(self._skip(start + 1, "of"))
        if of_year is None:
            end = start + 1
        said = self._said(at, end)
        return part_of_year(said, "month", of_year, lambda chosen: month(chosen, number), number), end

    def _of_year(self, at: int) -> Match | None:
        start = at + 1 if self._key(at) == "year" else at
        of_year, end = self._year(start)
        if of_year is None:
            return None
        return fixed("year", str(of_year), lambda: year(of_year), year_said=of_year), end

    def _all(self, at: int) -> Match | None:
        for words in (("all", "time"), ("whole", "period"), ("entire", "period"), ("lifetime",), ("ever",)):
            if all(self._key(at + place) == word for place, word in enumerate(words)):
                said = " ".join(words)
                found = DateWords(said, lambda clock: ("all", Period(clock.first_day, clock.last_day)))
                return found, at + len(words)
        return None

    def _year(self, at: int) -> tuple[int | None, int]:
        digits = self._digits(at, 4)
        known = digits is not None and _FROM_YEAR <= digits <= _TO_YEAR
        return (digits, at + 1) if known else (None, at)

    def _day_number(self, at: int) -> int | None:
        found = re.fullmatch(r"(\d{1,2})(st|nd|rd|th)?", self._key(at))
        return int(found[1]) if found else None

    def _number(self, at: int) -> int | None:
        counted = self._digits(at, 9)
        return _NUMBERS.get(self._key(at)) if counted is None else counted

    def _digits(self, at: int, longest: int) -> int | None:
        key = self._key(at)
        return int(key) if re.fullmatch(rf"[0-9]{{1,{longest}}}", key) else None

    def _is_to(self, at: int) -> bool:
        return self._kind(at) == "to" or self._key(at) in _TO

    def _skip(self, at: int, *words: str, limit: int = 2) -> int:
        while limit and self._key(at) in words:
            at, limit = at + 1, limit - 1
        return at

    def _key(self, at: int) -> str:
        return self._tokens[at].key if 0 <= at < len(self._tokens) else ""

    def _kind(self, at: int) -> str:
        return self._tokens[at].kind if 0 <= at < len(self._tokens) else ""

    def _said(self, at: int, end: int) -> str:
        return " ".join(token.text for token in self._tokens[at:end])


def count_word(key: str) -> int | None:
    """five, 5."""
    return int(key) if re.fullmatch(r"[0-9]{1,6}", key) else _NUMBERS.get(key)
