"""Figures, changes and names as people read them. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from marketing_platform.analytics.kpis.spec import Direction, Unit

LOCALE = "en_US"
NOTHING = "–"  # where there is no figure
_WHOLE_FROM = 1_000  # amounts above which cents say nothing
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|<>~$:-])")
_NEUTRAL, _FULL = "neutral", 100
_RECOMMENDERS = {
    "hybrid": "All together (what is shown)",
    "paths": "Paths in the knowledge graph",
    "content": "Alike in what they say",
    "ease": "Bought together (EASE)",
    "slim": "Bought together (SLIM)",
    "ials": "Tastes in common (iALS)",
    "rp3beta": "Random walks (RP3beta)",
    "user_neighbours": "People who took the same",
    "item_neighbours": "Items taken together",
    "popular": "What most take",
    "trending": "What many took lately",
    "repeat": "What one takes again",
    "discovery": "New categories",
}
_GOOD = {"up": "Up is good.", "down": "Down is good.", "neutral": "Neither up nor down is good by itself."}


def figure(value: float | None, unit: Unit, currency: str | None) -> str:
    """A figure with its unit: $1,234, 3.4 %, 2.31, 9,562."""
    if value is None or not math.isfinite(value):
        return NOTHING
    match unit:
        case "money" if currency:
            pattern = None if abs(value) < _WHOLE_FROM else "¤#,##0"
            return format_currency(
                value, currency, format=pattern, locale=LOCALE, currency_digits=pattern is None
            )
        case "money":
            return format_decimal(value, "#,##0.00", locale=LOCALE)
        case "percent":
            return f"{format_decimal(value, '#,##0.0#', locale=LOCALE)} %"
        case "ratio":
            return format_decimal(value, "#,##0.00", locale=LOCALE)
        case "count":
            return format_decimal(value, "#,##0.#" if abs(value) < _FULL else "#,##0", locale=LOCALE)


def count(value: float) -> str:
    """A number of things."""
    return format_decimal(value, "#,##0", locale=LOCALE)


def share(value: float) -> str:
    """A part of the whole, 0 to 1, in percent."""
    return f"{format_decimal(value * 100, '0.#', locale=LOCALE)} %"


def change(value: Mapping[str, Any], direction: Direction, *, unit: Unit, currency: str | None) -> str | None:
    """How a figure changed, and what to make of it; None when it is compared with nothing."""
    if value["change"] is None:
        return None
    percent = value["change_percent"]
    amount = figure(abs(value["change"]), unit, currency) if percent is None else f"{abs(percent):.1f} %"
    if value["change"] == 0:
        return "unchanged"
    sign = "+" if value["change"] > 0 else "-"
    return f"{sign}{amount}{verdict(value, direction)}"


def verdict(value: Mapping[str, Any], direction: Direction) -> str:
    """`, better` or `, worse`; nothing where neither is."""
    if direction == _NEUTRAL or value["better"] is None:
        return ""
    return ", better" if value["better"] else ", worse"


def good(direction: Direction) -> str:
    """Where a KPI is good to go, in a sentence."""
    return _GOOD[direction]


def days(period: Mapping[str, Any] | None) -> str:
    """A period: 1–30 Jun 2026."""
    if period is None:
        return ""
    first, last = (date.fromisoformat(str(period[end])) for end in ("from", "to"))
    return day_range(first, last)


def day_range(first: date, last: date) -> str:
    """Both ends included."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    return f"{day(first) if first.year != last.year else format_date(first, 'd MMM', LOCALE)} – {day(last)}"


def day_range_of(period: Mapping[str, Any]) -> str:
    """A period of an answer to a question."""
    return day_range(*(date.fromisoformat(str(period[end])) for end in ("first", "last")))


def day(moment: date) -> str:
    """1 Jun 2026."""
    return format_date(moment, "d MMM y", LOCALE)


def moment(text: str) -> str:
    """A moment of the API: 21 Nov 2026, 16:23 UTC."""
    when = datetime.fromisoformat(text)
    return f"{day(when)}, {when:%H:%M} UTC"


def title(name: str) -> str:
    """A declared name as people read it: `campaign_id` is Campaign id."""
    return name.replace("_", " ").capitalize()


def recommender(name: str) -> str:
    """A way of finding what to recommend: `ials` is Tastes in common (iALS)."""
    return _RECOMMENDERS.get(name, title(name))


def first_up(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def said(name: str | None) -> str:
    """A value of a dimension; where the data does not say, so."""
    return name or "(not said)"


def plain(text: str) -> str:
    """The text with nothing in it taken for markup, which names of the data may hold."""
    return _MARKUP.sub(r"\\\1", text)


def listed(names: Sequence[str], *, most: int = 5) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
