"""Tables and charts on a page: the same look everywhere, and words for those who do not see them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import streamlit as st

from dashboard.charts import Chart
from marketing_platform.spreadsheets import plain

_TEXT = {"light": "#3d4754", "dark": "#d5dde6"}  # the theme of Streamlit leaves text in charts too faint
_TICKS = 6  # unless a chart says otherwise


def draw(chart: Chart) -> None:
    """A chart, with its words as its alternative text."""
    text = _TEXT[st.context.theme.type or "light"]
    spec = {
        "config": {
            "text": {"color": text},
            "axis": {"labelColor": text, "titleColor": text},
            "axisQuantitative": {"tickCount": _TICKS},
        },
        **chart.spec,
    }
    st.vega_lite_chart(spec, alt=chart.words)


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """A few rows of ready texts, as a plain table that every reader reads."""
    st.table(list(rows), border="horizontal", hide_index=True)


def folded(label: str, draw: Callable[[], None]) -> None:
    """What is drawn once somebody unfolds it: browsers work long on the scripts of tables and code."""
    part = st.expander(label, on_change="rerun")
    if part.open:
        with part:
            draw()


def download(rows: Sequence[Mapping[str, Any]], name: str) -> None:
    """A button that gives the rows as a CSV file."""
    st.download_button(
        "Download as CSV",
        as_csv(rows),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows as a spreadsheet opens them: UTF-8 with its mark, and names of the data run as no formula."""
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    for row in rows:
        cells = {name: plain(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        writer.writerow(cells)
    return text.getvalue().encode("utf-8-sig")
