"""Unusual days and forecasts in a marketer's words. Pure functions of what the API answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from dashboard import words
from marketing_platform.analytics.kpis import Kpi
from marketing_platform.analytics.kpis.forecasting import SMOOTHED

Finding = Mapping[str, Any]

_OF = {"platform": "on {}", "device": "on {}", "country": "in {}", "account": "of account {}"}


def day_of(finding: Finding) -> date:
    """The day it is about."""
    return date.fromisoformat(finding["day"])


def unusual(finding: Finding, kpi: Kpi) -> str:
    """One unusual day: Spend on Meta was $900; $50 to $150 were expected."""
    value, low, high = (
        words.figure(finding[name], kpi.unit, finding["currency"]) for name in ("value", "low", "high")
    )
    what = " ".join(filter(None, (kpi.name, _member(finding))))
    return f"{what} was {value}; {low} to {high} was expected."


def marks(found: Iterable[Finding], kpi: str, only: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Those about exactly what a trend shows: all of a KPI, or the one member that it is filtered by."""
    shown = [(name, value) for name, values in only.items() for value in values] or [(None, None)]
    return [
        one
        for one in found
        if one["kpi"] == kpi and len(shown) == 1 and (one["dimension"], one["member"]) == shown[0]
    ]


def looked_at(watched: Iterable[Finding]) -> str:
    """Which days were judged: 24 Oct – 20 Nov 2026; empty when none were."""
    days = [(one["first"], one["last"]) for one in watched if one["first"]]
    if not days:
        return ""
    first, last = min(first for first, _ in days), max(last for _, last in days)
    return words.day_range(date.fromisoformat(first), date.fromisoformat(last))


def overlaps(watched: Iterable[Finding], first: date, last: date) -> bool:
    """Whether any of these days was judged."""
    return any(
        one["first"] and one["first"] <= last.isoformat() and first.isoformat() <= one["last"]
        for one in watched
    )


def expected(forecast: Finding, kpi: Kpi, before: float | None) -> str:
    """What the days to come bring together, and what as many days before them brought."""
    days = forecast["days"]
    currency = forecast["currency"]
    total = words.figure(sum(one["value"] for one in days), kpi.unit, currency)
    said = f"**About {words.plain(total)}** is expected {_span(days)}"
    if before is None:
        return f"{said}."
    came = words.plain(words.figure(before, kpi.unit, currency))
    return f"{said}, after {came} in the {len(days)} days before."


def record(forecast: Finding) -> str:
    """How well such forecasts did, for who is to trust this one."""
    tried, model, level = forecast["tried"], forecast["model"], forecast["level"]
    errors = tried["models"][model]
    off, within = round(errors["smape"]), round(errors["coverage"])
    said = (
        f"How far to trust it: such forecasts, made on {tried['origins']} earlier days, were off by"
        f" {off} % on a typical day, and {within} of 100 days lay in the shaded range ({level} should)."
    )
    return f"{said} {_why(model, tried['models'])}"


def _why(model: str, models: Mapping[str, Finding]) -> str:
    if model != SMOOTHED:
        return "It repeats the last week, because nothing cleverer did better."
    others = [errors["smape"] for name, errors in models.items() if name != model]
    return f"Repeating the last week would have been off by {round(others[0])} %." if others else ""


def _member(finding: Finding) -> str:
    if finding["dimension"] is None:
        return ""
    return _OF.get(finding["dimension"], "of {}").format(words.said(finding["member"]))


def _span(days: Sequence[Finding]) -> str:
    return f"for {words.day_range(day_of(days[0]), day_of(days[-1]))}"
