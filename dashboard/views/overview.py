"""The first page: cards, a trend, and what the figures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import streamlit as st

from dashboard import charts, findings, pickers, reading, states, tables, words
from dashboard.api import NoAnswer, Why
from marketing_platform.analytics.kpis import Kpi
from marketing_platform.analytics.kpis.spec import Direction

_MOST_BARS = 12
_MOST_TOLD = 3  # unusual days before the rest is folded away
_COLOURS: Mapping[Direction, Literal["normal", "inverse", "off"]] = {
    "up": "normal",
    "down": "inverse",
    "neutral": "off",
}


def page() -> None:
    """Everything about the days chosen; the same address shows the same view to somebody else."""
    view = pickers.picked()
    if view is None:
        return
    names = list(pickers.overview())
    answer = reading.read("/api/v1/kpis", {"kpi": names, "by": [view.bucket], **view.asked, "limit": 1000})
    kpis = {kpi["kpi"]: kpi for kpi in answer["kpis"]}
    st.caption(_days_in_words(answer))
    _cards(answer, kpis)
    for note in answer["notes"]:
        st.info(words.plain(note), icon=":material/info:")
    found = _unusual_days(view)
    chosen = st.segmented_control(
        "Look closer at",
        names,
        default=names[0],
        required=True,
        format_func=lambda name: kpis[name]["name"],
        key="kpi",
        bind="query-params",
    )
    kpi = kpis[chosen or names[0]]
    st.header(f"{kpi['name']} over time")
    marked = findings.marks(found, kpi["kpi"], view.only) if view.bucket == "day" else []
    tables.draw(charts.trend(answer, kpi, view.bucket, marked))
    if marked:
        st.caption("Rings mark unusual days.")
    _unfinished(answer, view.bucket)
    with states.told("breakdown"):
        _breakdown(view, kpi)
    tables.folded(f"How {kpi['name']} comes about", lambda: _origin(answer, kpi))


def _days_in_words(answer: Mapping[str, Any]) -> str:
    against = f", compared with {words.days(answer['against'])}" if answer["against"] else ""
    only = "; ".join(
        f"only {' or '.join(words.said(one) for one in found['only'])}"
        for found in answer["filters"].values()
    )
    return words.plain(f"{words.days(answer['period'])}{against}{f' · {only}' if only else ''}")


def _cards(answer: Mapping[str, Any], kpis: Mapping[str, Mapping[str, Any]]) -> None:
    columns = st.columns(len(kpis))
    for column, (name, kpi) in zip(columns, kpis.items(), strict=True):
        total, unit, currency = answer["total"][name], kpi["unit"], answer["currency"]
        points = [line["values"][name]["value"] for line in answer["lines"]]
        column.metric(
            kpi["name"],
            words.figure(total["value"], unit, currency),
            words.change(total, kpi["direction"], unit=unit, currency=currency),
            delta_color=_COLOURS[kpi["direction"]] if total["change"] else "off",
            delta_arrow="auto" if total["change"] else "off",
            help=f"{kpi['says']} {words.good(kpi['direction'])}",
            border=True,
            chart_data=[point for point in points if point is not None],
            chart_type="area",
        )
        if total["value"] is None and total["reason"]:
            column.caption(words.plain(total["reason"]))


def _unusual_days(view: pickers.View) -> list[findings.Finding]:
    """Say which of the days chosen were unusual, calmly if none were; they are returned."""
    try:
        answer = reading.read("/api/v1/kpis/anomalies")
    except NoAnswer as error:
        if error.why is Why.NOT_YET:
            st.caption("Unusual days will be pointed out from the next release on.")
        else:
            states.show(error, "unusual")
        return []
    if not answer["watched"]:
        return []
    kpis, days = reading.registry().kpis, findings.looked_at(answer["watched"])
    declared = [one for one in answer["anomalies"] if one["kpi"] in kpis]
    found = [one for one in declared if view.first <= findings.day_of(one) <= view.last]
    if found:
        st.header("Unusual days")
        _listed(found[:_MOST_TOLD], kpis)
        if more := found[_MOST_TOLD:]:
            with st.expander(f"{len(more)} more"):
                _listed(more, kpis)
    elif findings.overlaps(answer["watched"], view.first, view.last):
        st.caption(f":material/check_circle: Nothing unusual in these days (looked at: {days}).")
    _not_judged(answer["watched"], kpis)
    return found


def _listed(found: Sequence[findings.Finding], kpis: Mapping[str, Kpi]) -> None:
    lines = [(words.day(findings.day_of(one)), findings.unusual(one, kpis[one["kpi"]])) for one in found]
    st.markdown("\n".join(f"- **{day}**: {words.plain(said)}" for day, said in lines))


def _not_judged(watched: Sequence[findings.Finding], kpis: Mapping[str, Kpi]) -> None:
    if reasons := [
        f"{kpis[one['kpi']].name}: {one['reason']}" for one in watched if one["reason"] and one["kpi"] in kpis
    ]:
        st.caption(f"Not looked at for unusual days: {words.plain('; '.join(reasons))}.")


def _unfinished(answer: Mapping[str, Any], bucket: str) -> None:
    if any(line["partial"] for line in answer["lines"]):
        st.caption(f"The first or last {bucket} is not whole, so it looks smaller than it will be.")
    if missing := answer["missing_days"]:
        shown = words.listed([words.day(date.fromisoformat(one)) for one in missing])
        st.caption(f"Days without data: {shown}.")


def _breakdown(view: pickers.View, kpi: Mapping[str, Any]) -> None:
    offered = [name for name in kpi["dimensions"] if name in (*pickers.dimensions_of_overview(), "campaign")]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header(f"{kpi['name']} by", width="content")
        chosen = st.selectbox(
            "Broken down by", offered, format_func=words.title, key="by", bind="query-params", width=180
        )
    by = chosen or offered[0]
    asked = {"kpi": [kpi["kpi"]], "by": [by], **view.asked, "order_by": kpi["kpi"], "limit": _MOST_BARS}
    answer = reading.read("/api/v1/kpis", asked)
    lines: Sequence[Mapping[str, Any]] = answer["lines"]
    if not lines:
        states.nothing("There is nothing in these days.")
        return
    named = [(words.said(line["key"][by]), line["values"][kpi["kpi"]]["value"]) for line in lines]
    tables.draw(
        charts.bars(named, f"{kpi['name']} by {words.title(by).lower()}", kpi["unit"], answer["currency"])
    )
    rows = [_row(line, by, kpi, answer["currency"]) for line in lines]
    tables.folded("The same as a table", lambda: tables.show(rows))


def _row(line: Mapping[str, Any], by: str, kpi: Mapping[str, Any], currency: str | None) -> dict[str, str]:
    value, unit = line["values"][kpi["kpi"]], kpi["unit"]
    row = {
        words.title(by): words.said(line["key"][by]),
        kpi["name"]: words.figure(value["value"], unit, currency),
        "Before": words.figure(value["before"], unit, currency),
        "Change": words.change(value, kpi["direction"], unit=unit, currency=currency) or words.NOTHING,
    }
    return row if value["share"] is None else {**row, "Share": words.share(value["share"])}


def _origin(answer: Mapping[str, Any], kpi: Mapping[str, Any]) -> None:
    below = f" divided by {kpi['denominator']}" if kpi["denominator"] else ""
    times = f", times {kpi['scale']:g}" if kpi["scale"] != 1 else ""
    st.markdown(f"{kpi['says']} It is {kpi['numerator']}{below}{times}. {words.good(kpi['direction'])}")
    for query in answer["queries"]:
        st.code(query["sql"], language="sql", wrap_lines=True)
