"""The weeks to come: what is expected, how sure that is, and how well such forecasts did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import streamlit as st

from dashboard import charts, findings, reading, states, tables, words
from marketing_platform.analytics.kpis import Kpi

_PAST_DAYS = 56  # drawn before the days to come


def page() -> None:
    """One KPI at a time; what cannot be forecast says why."""
    answer = reading.read("/api/v1/kpis/forecasts")
    kpis = reading.registry().kpis
    made: dict[str, Mapping[str, Any]] = {
        one["kpi"]: one for one in answer["forecasts"] if one["kpi"] in kpis
    }
    if not made and not answer["declined"]:
        states.nothing(
            "No forecasts are declared. Whoever runs the platform can name some in `kpis/watch.yaml`."
        )
        return
    if made:
        names = list(made)
        chosen = st.segmented_control(
            "Forecast of",
            names,
            default=names[0],
            required=True,
            format_func=lambda name: kpis[name].name,
            key="of",
            bind="query-params",
        )
        name = chosen or names[0]
        _forecast(made[name], kpis[name])
    for one in answer["declined"]:
        name = kpis[one["kpi"]].name if one["kpi"] in kpis else one["kpi"]
        reason = words.plain(f"{name}: {one['reason']}.")
        st.info(f"There is no forecast of {reason}", icon=":material/info:")


def _forecast(made: Mapping[str, Any], kpi: Kpi) -> None:
    known = _known(made)
    ahead = len(made["days"])
    first = made["learnt_from"]["to"]
    since = (date.fromisoformat(first) - timedelta(days=ahead - 1)).isoformat()
    before = sum(value for day, value in known if day >= since) if known else None
    st.header(f"{kpi.name} in the next {ahead} days")
    st.markdown(findings.expected(made, kpi, before))
    tables.draw(charts.forecast(made, kpi.name, kpi.unit, known))
    st.caption(words.plain(findings.record(made)))
    rows = [_row(one, kpi, made["currency"]) for one in made["days"]]
    tables.folded("Day by day", lambda: tables.show(rows))


def _known(made: Mapping[str, Any]) -> Sequence[tuple[str, float]]:
    """The last days before it, those with figures."""
    last = date.fromisoformat(made["learnt_from"]["to"])
    asked = {
        "kpi": [made["kpi"]],
        "by": ["day"],
        "from": (last - timedelta(days=_PAST_DAYS - 1)).isoformat(),
        "to": last.isoformat(),
        "against": "none",
        "limit": _PAST_DAYS,
    }
    lines = reading.read("/api/v1/kpis", asked)["lines"]
    found = [(line["key"]["day"], line["values"][made["kpi"]]["value"]) for line in lines]
    return [(day, value) for day, value in found if value is not None]


def _row(one: Mapping[str, Any], kpi: Kpi, currency: str | None) -> dict[str, str]:
    figures = {title: one[name] for title, name in (("Expected", "value"), ("From", "low"), ("To", "high"))}
    return {
        "Day": words.day(findings.day_of(one)),
        **{title: words.figure(value, kpi.unit, currency) for title, value in figures.items()},
    }
