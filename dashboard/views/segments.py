"""Groups of users: which there are, how many belong to each, and who."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import reading, states, tables, words

_PAGE = 100  # users


def page() -> None:
    """Every segment with its counts; the users of one that is chosen."""
    st.caption("Groups of people that are declared, as they were when the figures were made.")
    with states.told("segments"):
        _segments()


def _segments() -> None:
    found: list[dict[str, Any]] = reading.read("/api/v1/segments")["items"]
    if not found:
        states.nothing("No segment is declared yet. Whoever runs the platform can declare one.")
        return
    tables.show([_line(segment) for segment in found])
    st.caption("Belonging to a segment is no permission: only who agreed to marketing is written to.")
    chosen = st.selectbox(
        "Look at a segment",
        [segment["segment"] for segment in found],
        index=None,
        format_func=words.title,
        placeholder="Choose a segment",
        key="segment",
        bind="query-params",
    )
    if chosen is not None:
        _users(next(segment for segment in found if segment["segment"] == chosen))


def _line(segment: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Segment": words.title(segment["segment"]),
        "Who": words.plain(segment["description"]),
        "People": words.count(segment["users"]),
        "May be written to": words.count(segment["consenting"]),
    }


def _users(segment: Mapping[str, Any]) -> None:
    name = words.plain(words.title(segment["segment"]))
    if not segment["users"]:
        states.nothing(f"Nobody belongs to {name} now.")
        return
    answer = reading.read(f"/api/v1/segments/{segment['segment']}/users", {"limit": _PAGE})
    rows = [{"User": user["user_id"]} for user in answer["items"]]
    st.subheader(name)
    if answer["next_offset"] is not None:
        st.caption(f"The first {words.count(len(rows))} of {words.count(segment['users'])}.")
    st.dataframe(rows, hide_index=True, alt=f"Users of the segment {name}, in order of id.")
    tables.download(rows, segment["segment"])
