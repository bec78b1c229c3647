"""All campaigns of the days chosen, sortable, and as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import pickers, reading, states, tables, words

_KPIS = ("spend", "revenue", "roas", "conversions", "cac", "ctr", "cvr", "cpc")
_MOST = 1_000
_FORMATS = {"money": "%.2f", "percent": "%.2f %%", "ratio": "%.2f", "count": "%d"}


def page() -> None:
    """A line per campaign with what it cost and brought."""
    view = pickers.picked()
    if view is None:
        return
    known = reading.registry().kpis
    names = [name for name in _KPIS if name in known] or list(pickers.overview())
    asked = {"kpi": names, "by": ["campaign"], **view.asked, "order_by": names[0], "limit": _MOST}
    answer = reading.read("/api/v1/kpis", asked)
    kpis = {kpi["kpi"]: kpi for kpi in answer["kpis"]}
    lines = [line for line in answer["lines"] if _has_figures(line)]
    st.caption(f"{words.days(answer['period'])} · {words.count(len(lines))} campaigns")
    for note in answer["notes"]:
        st.info(words.plain(note), icon=":material/info:")
    if not lines:
        states.nothing("No campaign has figures in these days.")
        return
    rows = [_row(line, kpis, answer["currency"]) for line in lines]
    st.dataframe(
        rows,
        hide_index=True,
        placeholder=words.NOTHING,
        column_config=_columns(kpis, answer["currency"]),
        alt=f"Campaigns from {words.days(answer['period'])}; download them to read all of them.",
    )
    days = answer["period"]
    tables.download(rows, f"campaigns-{days['from']}-{days['to']}")


def _has_figures(line: Mapping[str, Any]) -> bool:
    """Whether there is anything about it in these days; it may have been in those compared with alone."""
    return any(value["value"] is not None for value in line["values"].values())


def _row(
    line: Mapping[str, Any], kpis: Mapping[str, Mapping[str, Any]], currency: str | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"Campaign": words.said(line["key"]["campaign"])}
    for name, kpi in kpis.items():
        value = line["values"][name]
        row[_heading(kpi, currency)] = value["value"]
        if name == next(iter(kpis)):
            row[f"{kpi['name']}, change %"] = value["change_percent"]
    return row


def _heading(kpi: Mapping[str, Any], currency: str | None) -> str:
    return f"{kpi['name']} ({currency})" if kpi["unit"] == "money" and currency else str(kpi["name"])


def _columns(kpis: Mapping[str, Mapping[str, Any]], currency: str | None) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "Campaign": st.column_config.TextColumn("Campaign", pinned=True, width="medium")
    }
    for kpi in kpis.values():
        heading = _heading(kpi, currency)
        columns[heading] = st.column_config.NumberColumn(
            heading, format="localized" if kpi["unit"] == "count" else _FORMATS[kpi["unit"]], help=kpi["says"]
        )
        columns[f"{kpi['name']}, change %"] = st.column_config.NumberColumn(format="%+.1f %%")
    return columns
