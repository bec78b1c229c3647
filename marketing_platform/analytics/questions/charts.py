"""Charts as Vega-Lite documents: what to draw, not how; whoever shows the answer draws it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marketing_platform.analytics.kpis import Answer, Contribution, Kpi, Registry
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.intent import Intent
from marketing_platform.analytics.questions.sentences import label

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_MOST_POINTS = 2_000


def chart(
    intent: Intent, found: Answer, causes: Sequence[Contribution], registry: Registry, *, description: str
) -> dict[str, Any] | None:
    """Lines over time, bars for everything else that has lines; None for a single figure.

    The first KPI is shown, or the one that orders the lines: two units on one axis would mislead.
    """
    kpi = registry.kpi(intent.ranking.metric if intent.ranking else intent.metrics[0])
    title = f"{kpi.name} ({found.currency})" if kpi.unit == "money" and found.currency else kpi.name
    if intent.why:
        points = [{"name": one.value or "(not said)", "value": one.amount} for one in causes]
        drawn = _bars(f"{title}: part in the change", ordered=True)
    elif not intent.by:
        if intent.comparison is None:
            return None
        value = found.total.values[kpi.kpi]
        points = [{"name": "before", "value": value.before}, {"name": "now", "value": value.value}]
        drawn = _bars(title, ordered=True)
    elif intent.kind == "trend":
        points = _over_time(found, kpi)
        several = len(intent.by) > 1
        drawn = _line(title, daily="day" in intent.by, several=several)
    else:
        points = [
            {"name": label(line), "value": _shown(line.values[kpi.kpi], intent)} for line in found.lines
        ]
        drawn = _bars(f"{title}: share" if intent.share else title, ordered=intent.ranking is not None)
        if intent.share:
            drawn["encoding"]["x"]["axis"] = {"format": ".0%"}
    return {
        "$schema": _SCHEMA,
        "description": description,
        "data": {"values": points[:_MOST_POINTS]},
        **drawn,
    }


def _shown(value: Any, intent: Intent) -> float | None:
    return value.share if intent.share else value.value


def _over_time(found: Answer, kpi: Kpi) -> list[dict[str, Any]]:
    at = next(place for place, name in enumerate(found.question.by) if name in TIME_BUCKETS)
    return [
        {
            "time": line.key[at],
            "name": " / ".join(part or "(not said)" for place, part in enumerate(line.key) if place != at),
            "value": line.values[kpi.kpi].value,
            "partial": line.partial,
        }
        for line in found.lines
    ]


def _line(title: str, *, daily: bool, several: bool) -> dict[str, Any]:
    encoding: dict[str, Any] = {
        "x": {"field": "time", "type": "temporal" if daily else "ordinal", "title": None},
        "y": {"field": "value", "type": "quantitative", "title": title},
    }
    if several:
        encoding["color"] = {"field": "name", "type": "nominal", "title": None}
    return {"mark": {"type": "line", "point": True}, "encoding": encoding}


def _bars(title: str, *, ordered: bool) -> dict[str, Any]:
    return {
        "mark": "bar",
        "encoding": {
            "y": {"field": "name", "type": "nominal", "title": None, "sort": None if ordered else "-x"},
            "x": {"field": "value", "type": "quantitative", "title": title},
        },
    }
