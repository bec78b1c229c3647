"""A box for questions in plain English; each answer shows how it was understood and how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import reading, states, tables, words
from dashboard.api import NoAnswer
from dashboard.charts import Chart
from marketing_platform.analytics.questions.text import LONGEST

_EXAMPLES = (
    "CAC by country last month",
    "top 5 campaigns by ROAS last 30 days",
    "why did spend change last month?",
    "revenue trend this year",
)
_LATER = ("_before", "_change", "_change_percent", "_better", "_share", "_reason")
_TURNS = "turns"  # (question, answer), newest first


def page() -> None:
    """Ask, and go on asking about the answer."""
    turns: list[tuple[str, dict[str, Any]]] = st.session_state.setdefault(_TURNS, [])
    _box(follow_up=bool(turns))
    if not turns:
        _suggest(_EXAMPLES, "For example")
        return
    for place, (question, answer) in enumerate(turns):
        st.header(f"“{question}”", divider="gray" if place else False)
        _answered(answer, newest=place == 0)
    if st.button("Start anew", icon=":material/restart_alt:"):
        turns.clear()
        st.query_params.pop("q", None)
        st.rerun()


def _box(*, follow_up: bool) -> None:
    with (
        st.form("question", clear_on_submit=True, border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        text = st.text_input(
            "Ask about this answer, or something else" if follow_up else "Ask about your figures",
            placeholder="and on mobile?"
            if follow_up
            else "How did Meta do last month compared with the month before?",
            max_chars=LONGEST,
        )
        sent = st.form_submit_button("Ask", icon=":material/send:")
    linked = None if follow_up else st.query_params.get("q")  # a question that somebody shared
    if (sent and text) or linked:
        _put(str(text or linked))


def _put(question: str) -> None:
    """Ask with the answer before as context, and show it."""
    turns: list[tuple[str, dict[str, Any]]] = st.session_state[_TURNS]
    context = next((answer["intent"] for _, answer in turns if answer["intent"]), None)
    try:
        with st.spinner("Looking it up …"):
            answer = reading.api().ask(question, context)
    except NoAnswer as error:
        st.query_params.pop("q", None)
        states.show(error)
        return
    turns.insert(0, (question, answer))
    if len(turns) == 1:
        st.query_params["q"] = question
    st.rerun()


def _suggest(questions: Sequence[str], label: str) -> None:
    if not questions:
        return
    st.caption(label)
    with st.container(horizontal=True):
        for question in questions:
            if st.button(question, key=f"ask-{question}"):
                _put(question)


def _answered(answer: Mapping[str, Any], *, newest: bool) -> None:
    if answer["declined"]:
        st.info(f"**I cannot answer that for certain.** {answer['reason']}", icon=":material/help:")
        if newest:
            _suggest(answer["suggestions"], "You could ask")
        return
    st.markdown(f"**{words.plain(answer['sentence'])}**")
    days = words.day_range_of(answer["period"])
    against = f", compared with {words.day_range_of(answer['against'])}" if answer["against"] else ""
    st.caption(f"Understood as: {words.plain(answer['interpretation'])} · {days}{against}")
    for note in answer["notes"]:
        st.caption(words.plain(note))
    if answer["chart"]:
        tables.draw(_chart(answer["chart"]))
    if answer["rows"] and (len(answer["rows"]) > 1 or answer["chart"]):
        rows = [_row(row, answer) for row in answer["rows"]]
        with st.expander(f"{words.count(len(rows))} rows"):
            tables.show(rows)
            if newest:
                tables.download(answer["rows"], "answer")
    with st.expander("How it was worked out"):
        for query in answer["sql"]:
            st.code(query["sql"], language="sql", wrap_lines=True)
            st.json(query["parameters"], expanded=False)


def _chart(spec: Mapping[str, Any]) -> Chart:
    shown = {name: value for name, value in spec.items() if name not in ("$schema", "description")}
    return Chart(shown, str(spec["description"]))


def _row(row: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, str]:
    """Dimensions, then each figure with what it is compared with."""
    kpis, currency = reading.registry().kpis, answer["currency"]
    shown: dict[str, str] = {}
    for name, value in row.items():
        base = next((name.removesuffix(later) for later in _LATER if name.endswith(later)), name)
        kpi = kpis.get(base)
        if kpi is None:
            shown[words.title(name)] = (
                words.said(value) if value is None or isinstance(value, str) else str(value)
            )
        elif name == base:
            shown[kpi.name] = words.figure(value, kpi.unit, currency)
        elif name.endswith("_before"):
            shown[f"{kpi.name} before"] = words.figure(value, kpi.unit, currency)
        elif name.endswith("_change_percent"):
            shown[f"{kpi.name} change"] = words.NOTHING if value is None else f"{value:+.1f} %"
        elif name.endswith("_share"):
            shown[f"{kpi.name} share"] = words.NOTHING if value is None else words.share(value)
    return shown
