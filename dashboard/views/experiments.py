"""A/B tests: how each stands, what its arms did, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import charts, reading, states, tables, words

_STATUS = {
    "waiting": "has not begun",
    "running": "is going on",
    "over": "is over",
    "stopped": "was stopped",
    "winner": "is decided",
}


def page() -> None:
    """One experiment at a time."""
    found = reading.read("/api/v1/experiments")
    names = [one["experiment"] for one in found["items"]]
    if not names:
        states.nothing(
            "No experiments are declared. Whoever runs the platform can declare some in `experiments/`."
        )
        return
    chosen = st.segmented_control(
        "Experiment",
        names,
        default=names[0],
        required=True,
        format_func=words.title,
        key="experiment",
        bind="query-params",
    )
    _experiment(reading.read(f"/api/v1/experiments/{chosen or names[0]}"), found["metrics"])


def _experiment(one: Mapping[str, Any], metrics: Mapping[str, str]) -> None:
    st.header(words.title(one["experiment"]))
    st.markdown(words.plain(one["hypothesis"]))
    people = words.count(one["users"])
    st.caption(words.plain(f"The experiment {_STATUS[one['status']]}; {people} people were shown an arm."))
    if one["decision"]:
        decided = one["decision"]
        told = f"Since the data of {decided['day']} everyone gets {decided['arm']}: {decided['reason']}."
        st.info(words.plain(told), icon=":material/gavel:")
    if one["sample_ratio_mismatch"]:
        st.warning("The arms are not as large as they were drawn, beyond chance: do not trust these figures.")
    tables.show([_row(arm, of, metrics) for arm in one["arms"] for of in arm["metrics"]])
    st.caption("Ranges hold however often one looks: a range without 0 % in it is no accident of the day.")
    _path(one["path"], words.title(one["metric"]))


def _path(path: Sequence[Mapping[str, Any]], metric: str) -> None:
    if any(step["lift"] is not None for step in path):
        st.header("Day by day")
        tables.draw(charts.lifts(path, metric))


def _row(arm: Mapping[str, Any], of: Mapping[str, Any], metrics: Mapping[str, str]) -> dict[str, str]:
    return {
        "Arm": words.title(arm["arm"]) + (" (control)" if arm["control"] else ""),
        "People": words.count(arm["users"]),
        "What they did": metrics.get(of["metric"], words.title(of["metric"])),
        "How many": words.count(of["converted"]),
        "Rate": words.NOTHING if of["rate"] is None else words.share(of["rate"]),
        "Against control": words.NOTHING if of["lift"] is None else f"{of['lift']:+.1%}",
        "Likely between": words.NOTHING
        if of["low"] is None
        else f"{of['low']:+.1%} and {_upper(of['high'])}",
    }


def _upper(high: float | None) -> str:
    return "anything" if high is None else f"{high:+.1%}"
