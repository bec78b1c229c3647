"""Charts as Vega-Lite documents. Pure functions; every chart has its words, for those who do not see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import words
from marketing_platform.analytics.kpis.spec import Unit

_HEIGHT = 280  # pixels
_BAR, _AXIS = 28, 40  # of one bar with its gap, and of what is below all bars
_ROOM = 1.18  # beside the longest bar, for its figure
_MOST_SAID = 12
_TICKS: Mapping[Unit, str] = {"money": "~s", "count": "~s", "percent": "~g", "ratio": "~g"}


@dataclass(frozen=True)
class Chart:
    """What is drawn, and the same in words."""

    spec: dict[str, Any]
    words: str


def trend(answer: Mapping[str, Any], kpi: Mapping[str, Any], bucket: str) -> Chart:
    """A KPI of an answer by `bucket`, and dashed the same places of the days compared with."""
    now, before = words.days(answer["period"]), words.days(answer["against"])
    values = [point for line in answer["lines"] for point in _points(line, kpi, bucket, now, before, answer)]
    daily = bucket == "day"
    axis = {"format": "%-d %b", "tickCount": 6} if daily else {"labelAngle": 0}
    which = {"field": "which", "type": "nominal", "title": None, "sort": [now, before]}
    spec = {
        "height": _HEIGHT,
        "data": {"values": values},
        "mark": {"type": "line", "point": {"size": 36}, "strokeWidth": 2},
        "encoding": {
            "x": {
                "field": "time",
                "type": "temporal" if daily else "ordinal",
                "title": None,
                "axis": {**axis, "labelOverlap": True},
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": _unit(kpi, answer["currency"]),
                "axis": {"format": _TICKS[kpi["unit"]], "tickCount": 5},
            },
            "color": {**which, "legend": {"orient": "top", "symbolType": "stroke"}},
            "strokeDash": {
                **which,
                "scale": {"domain": [now, before], "range": [[1, 0], [5, 4]]},
                "legend": None,
            },
            "tooltip": [
                {"field": "time", "type": "temporal" if daily else "nominal", "title": words.title(bucket)},
                {"field": "said", "title": kpi["name"]},
                {"field": "which", "title": "In"},
            ],
        },
    }
    return Chart(spec, _trend_words(answer, kpi, bucket))


def bars(
    named: Sequence[tuple[str, float | None]], title: str, unit: Unit, currency: str | None = None
) -> Chart:
    """Figures by name, in the order given; `title` says what they are."""
    values = [
        {"name": name, "value": value, "said": words.figure(value, unit, currency)} for name, value in named
    ]
    known = [value for _, value in named if value is not None]
    most, least = max(known, default=0), min(known, default=0)
    spec = {
        "height": len(values) * _BAR + _AXIS,
        "data": {"values": values},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelLimit": 150},
                "scale": {"paddingInner": 0.3},
            },
            "x": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "axis": {"format": _TICKS[unit], "tickCount": 4},
                "scale": {"domain": [min(0, least * _ROOM), max(0, most * _ROOM)], "nice": False},
            },
            "tooltip": [{"field": "name", "title": "Of"}, {"field": "said", "title": words.first_up(title)}],
        },
        "layer": [
            {"mark": {"type": "bar", "cornerRadiusEnd": 3}},
            {"mark": {"type": "text", "align": "left", "dx": 6}, "encoding": {"text": {"field": "said"}}},
        ],
    }
    said = "; ".join(f"{value['name']} {value['said']}" for value in values[:_MOST_SAID])
    return Chart(spec, f"Bars, {title}: {said}.")


def _points(
    line: Mapping[str, Any],
    kpi: Mapping[str, Any],
    bucket: str,
    now: str,
    before: str,
    answer: Mapping[str, Any],
) -> list[dict[str, Any]]:
    found, time = line["values"][kpi["kpi"]], line["key"][bucket]
    pairs = [(now, found["value"]), *([(before, found["before"])] if before else [])]
    return [
        {
            "time": time,
            "value": value,
            "which": which,
            "said": words.figure(value, kpi["unit"], answer["currency"]),
        }
        for which, value in pairs
        if value is not None
    ]


def _unit(kpi: Mapping[str, Any], currency: str | None) -> str:
    unit = {"money": f" ({currency})" if currency else "", "percent": " (%)"}.get(kpi["unit"], "")
    return f"{kpi['name']}{unit}"


def _trend_words(answer: Mapping[str, Any], kpi: Mapping[str, Any], bucket: str) -> str:
    found = [(line["key"][bucket], line["values"][kpi["kpi"]]["value"]) for line in answer["lines"]]
    known = [(key, value) for key, value in found if value is not None]
    if not known:
        return f"{kpi['name']} by {bucket}: no figures."
    low, high = min(known, key=lambda pair: pair[1]), max(known, key=lambda pair: pair[1])

    def said(pair: tuple[str, float]) -> str:
        return f"{words.figure(pair[1], kpi['unit'], answer['currency'])} ({pair[0]})"

    return (
        f"Line chart of {kpi['name']} by {bucket}: from {said(known[0])} to {said(known[-1])},"
        f" lowest {said(low)}, highest {said(high)}."
    )
