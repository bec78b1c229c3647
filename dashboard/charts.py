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
_HIGHEST = 3.0  # lift that is drawn: at first nearly nothing is ruled out
_KNOWN, _EXPECTED = "so far", "expected"
_RING_COLOUR, _RANGE_COLOUR = "#d6338a", "#e07b39"  # seen on light and on dark
_TICKS: Mapping[Unit, str] = {"money": "~s", "count": "~s", "percent": "~g", "ratio": "~g"}


@dataclass(frozen=True)
class Chart:
    """What is drawn, and the same in words."""

    spec: dict[str, Any]
    words: str


def trend(
    answer: Mapping[str, Any],
    kpi: Mapping[str, Any],
    bucket: str,
    unusual: Sequence[Mapping[str, Any]] = (),
) -> Chart:
    """A KPI of an answer by `bucket`, and dashed the same places of the days compared with.

    `unusual` are findings about days of it, which get a ring.
    """
    now, before = words.days(answer["period"]), words.days(answer["against"])
    values = [point for line in answer["lines"] for point in _points(line, kpi, bucket, now, before, answer)]
    daily = bucket == "day"
    axis = {"format": "%-d %b", "tickCount": 6} if daily else {"labelAngle": 0}
    which = {"field": "which", "type": "nominal", "title": None, "sort": [now, before]}
    spec = {
        "height": _HEIGHT,
        "data": {"values": values},
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
            "tooltip": [
                {"field": "time", "type": "temporal" if daily else "nominal", "title": words.title(bucket)},
                {"field": "said", "title": kpi["name"]},
                {"field": "which", "title": "In"},
            ],
        },
        "layer": [
            {
                "mark": {"type": "line", "point": {"size": 36}, "strokeWidth": 2},
                "encoding": {
                    "color": {**which, "legend": {"orient": "top", "symbolType": "stroke"}},
                    "strokeDash": {
                        **which,
                        "scale": {"domain": [now, before], "range": [[1, 0], [5, 4]]},
                        "legend": None,
                    },
                },
            },
            *_rings(unusual, now, kpi["unit"]),
        ],
    }
    return Chart(spec, _trend_words(answer, kpi, bucket) + _unusual_words(unusual))


def forecast(made: Mapping[str, Any], name: str, unit: Unit, known: Sequence[tuple[str, float]]) -> Chart:
    """The days to come with their range, after `known` days and figures; `name` says of what."""
    currency = made["currency"]
    past = [{"day": day, "value": value, "said": words.figure(value, unit, currency)} for day, value in known]
    ahead = [_ahead(one, unit, currency) for one in made["days"]]
    time = {"field": "day", "type": "temporal", "title": None, "axis": {"format": "%-d %b", "tickCount": 8}}
    axis = {"format": _TICKS[unit], "tickCount": 5}
    title = f"{name} ({currency})" if currency else name
    value = {"field": "value", "type": "quantitative", "title": title, "axis": axis}
    day = {"field": "day", "type": "temporal", "title": "Day"}
    expected = [day, {"field": "said", "title": "Expected"}, {"field": "range", "title": "Likely"}]
    which = {
        "field": "which",
        "type": "nominal",
        "title": None,
        "scale": {"domain": [_KNOWN, _EXPECTED]},
        "legend": {"orient": "top", "symbolType": "stroke"},
    }
    spec = {
        "height": _HEIGHT,
        "encoding": {"x": time},
        "layer": [
            {
                "data": {"values": ahead},
                "mark": {"type": "area", "opacity": 0.18, "color": _RANGE_COLOUR},
                "encoding": {"y": {**value, "field": "low"}, "y2": {"field": "high"}, "tooltip": expected},
            },
            {
                "data": {"values": [{**one, "which": _KNOWN} for one in past]},
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {"y": value, "color": which, "tooltip": [day, {"field": "said", "title": name}]},
            },
            {
                "data": {"values": [{**one, "which": _EXPECTED} for one in ahead]},
                "mark": {"type": "line", "strokeWidth": 2, "strokeDash": [5, 4], "point": {"size": 30}},
                "encoding": {"y": value, "color": which, "tooltip": expected},
            },
        ],
    }
    return Chart(spec, _forecast_words(name, ahead, made["level"]))


def lifts(path: Sequence[Mapping[str, Any]], metric: str) -> Chart:
    """What was known of each arm's lift at the end of each day: between the ends of a band."""
    steps = [
        {**one, "high": _HIGHEST if one["high"] is None else min(one["high"], _HIGHEST)}
        for one in path
        if one["lift"] is not None
    ]
    y = {"type": "quantitative", "title": f"{metric}, against control", "axis": {"format": "+%"}}
    arm = {"field": "arm", "type": "nominal", "title": None, "legend": {"orient": "top"}}
    day = {"field": "day", "type": "temporal", "title": None, "axis": {"format": "%-d %b", "tickCount": 8}}
    spec = {
        "height": _HEIGHT,
        "data": {"values": steps},
        "encoding": {"x": day, "color": arm},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.18},
                "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"y": {**y, "field": "lift"}}},
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "opacity": 0.5, "aria": False},  # it says nothing but where 0 is
                "encoding": {"y": {"datum": 0}},
            },
        ],
    }
    last = {one["arm"]: one for one in steps}
    said = "; ".join(
        f"{arm} {one['lift']:+.0%}, between {one['low']:+.0%} and {one['high']:+.0%}"
        for arm, one in last.items()
    )
    return Chart(spec, f"Lift of {metric} by day. At the end: {said}.")


def _ahead(one: Mapping[str, Any], unit: Unit, currency: str | None) -> dict[str, Any]:
    low, high = (words.figure(one[end], unit, currency) for end in ("low", "high"))
    return {**one, "said": words.figure(one["value"], unit, currency), "range": f"{low} to {high}"}


def _forecast_words(name: str, ahead: Sequence[Mapping[str, Any]], level: int) -> str:
    first, last = (f"{one['said']} on {one['day']} (likely {one['range']})" for one in (ahead[0], ahead[-1]))
    return (
        f"Line chart of what {name} is expected to be: from {first} to {last};"
        f" {level} of 100 days should fall within such a range."
    )


def _rings(unusual: Sequence[Mapping[str, Any]], now: str, unit: Unit) -> list[dict[str, Any]]:
    values = [
        {
            "time": one["day"],
            "value": one["value"],
            "which": now,
            "said": words.figure(one["value"], unit, one["currency"]),
        }
        for one in unusual
    ]
    ring = {"type": "point", "shape": "circle", "size": 260, "strokeWidth": 2.5, "filled": False}
    return [{"data": {"values": values}, "mark": {**ring, "color": _RING_COLOUR}}] if values else []


def _unusual_words(unusual: Sequence[Mapping[str, Any]]) -> str:
    return f" Unusual: {', '.join(sorted(one['day'] for one in unusual))}." if unusual else ""


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
