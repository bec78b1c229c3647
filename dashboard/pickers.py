"""What is looked at: days, what they are compared with, and filters. The address keeps it, to be shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import streamlit as st

from dashboard import reading, states, words
from dashboard.api import NoAnswer, Why
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS

_LONG_AGO = "2000-01-01"
_MOST_VALUES = 200
_UNSUITABLE = frozenset({"source", "campaign", *TIME_BUCKETS})  # campaigns have a table of their own

Days = tuple[date, date]


def _month(last: date) -> Days:
    return last.replace(day=1), last


def _month_before(last: date) -> Days:
    end = last.replace(day=1) - timedelta(days=1)
    return end.replace(day=1), end


def _quarter(last: date) -> Days:
    return date(last.year, last.month - (last.month - 1) % 3, 1), last


def _so_many(days: int) -> Callable[[date], Days]:
    return lambda last: (last - timedelta(days=days - 1), last)


_PERIODS: Mapping[str, tuple[str, Callable[[date], Days]]] = {
    "7d": ("Last 7 days", _so_many(7)),
    "30d": ("Last 30 days", _so_many(30)),
    "90d": ("Last 90 days", _so_many(90)),
    "month": ("This month", _month),
    "last-month": ("Last month", _month_before),
    "quarter": ("This quarter", _quarter),
    "year": ("This year", lambda last: (date(last.year, 1, 1), last)),
    "12m": ("Last 365 days", _so_many(365)),
}
_OWN = "own"
_AGAINST = {
    "previous": "the period before",
    "year-before": "the same days a year before",
    "none": "nothing",
}


@dataclass(frozen=True)
class View:
    """What is looked at."""

    first: date
    last: date
    against: str
    filters: tuple[str, ...]  # as the API takes them: country=DE

    @property
    def asked(self) -> dict[str, Any]:
        """As parameters of `/api/v1/kpis`."""
        days = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return {**days, "against": self.against, "filter": list(self.filters)}

    @property
    def only(self) -> dict[str, list[str]]:
        """The values that are filtered by, by dimension."""
        named = [condition.split("=", 1) for condition in self.filters]
        return {name: [value for of, value in named if of == name] for name, _ in named}

    @property
    def bucket(self) -> str:
        """How finely a trend is drawn."""
        days = (self.last - self.first).days + 1
        return "day" if days <= 62 else "week" if days <= 400 else "month"  # noqa: PLR2004


def picked() -> View | None:
    """The pickers, in a row, and what they say; None, said in their place, while there are no figures."""
    last_day = _last_day_of_data()
    if last_day is None:
        states.nothing("There are no advertising figures in the data yet. Upload an export to see them here.")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first, last = _days(last_day)
        against = st.selectbox(
            "Compared with",
            list(_AGAINST),
            format_func=_AGAINST.__getitem__,
            key="against",
            bind="query-params",
            persist_state="session",
            width=240,
        )
        chosen = _filters()
    return View(first, last, against, chosen)


def _last_day_of_data() -> date | None:
    """The last day of data; None when there is none."""
    try:
        found = reading.read("/api/v1/kpis", {"kpi": list(overview()), "against": "none"})
    except NoAnswer as error:
        if error.why is Why.REFUSED:
            return None
        raise
    return date.fromisoformat(found["last_day"]) if found["last_day"] else None


def _days(last_day: date) -> Days:
    period = st.selectbox(
        "Period",
        [*_PERIODS, _OWN],
        index=1,
        format_func=lambda name: _PERIODS[name][0] if name in _PERIODS else "Days of my own",
        key="period",
        bind="query-params",
        persist_state="session",
        width=180,
        help=f"Periods end with the data, on {words.day(last_day)}.",
    )
    if period != _OWN:
        return _PERIODS[period][1](last_day)
    first = st.date_input("From", last_day - timedelta(days=29), key="from", bind="query-params", width=150)
    last = st.date_input("To", last_day, key="to", bind="query-params", width=150)
    return (first, last) if first <= last else (last, first)


def _filters() -> tuple[str, ...]:
    dimensions = dimensions_of_overview()
    with st.popover("Filters", icon=":material/filter_list:"):
        chosen = {dimension: _values(dimension) for dimension in dimensions}
    return tuple(f"{dimension}={value}" for dimension, values in chosen.items() for value in values)


def _values(dimension: str) -> list[str]:
    return st.multiselect(
        words.title(dimension),
        values_of(dimension),
        key=dimension,
        bind="query-params",
        persist_state="session",
        placeholder="All",
    )


def dimensions_of_overview() -> list[str]:
    """What all cards can be broken down by, in declared order."""
    declared = reading.registry()
    of_each = [declared.dimensions_of(declared.kpi(name)) for name in overview()]
    return [name for name in of_each[0] if name not in _UNSUITABLE and all(name in each for each in of_each)]


def overview() -> tuple[str, ...]:
    """The KPIs that are shown first: those of the workspace, or the first that are declared."""
    declared = reading.registry()
    return declared.workspace.overview or tuple(declared.kpis)[:5]


def values_of(dimension: str) -> list[str]:
    """The values that the data has, those with the largest figures first."""
    name = overview()[0]
    asked = {"kpi": [name], "by": [dimension], "from": _LONG_AGO, "against": "none", "order_by": name}
    lines = reading.read("/api/v1/kpis", {**asked, "limit": _MOST_VALUES})["lines"]
    return [line["key"][dimension] for line in lines if line["key"][dimension]]
