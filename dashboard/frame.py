"""What is around every page: its title, which release it shows, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard import reading, states, words
from dashboard.api import NoAnswer


def show(title: str, page: Callable[[], None], *, needs_release: bool) -> None:
    """Draw a page; one that needs a release makes room for the reason why there is none."""
    st.title(title)
    problem = _release()
    if problem is not None and needs_release:
        states.show(problem)
        return
    with states.told():
        page()
    if problem is None:
        _foot()


def _release() -> NoAnswer | None:
    """Note which release answers, so that what is remembered is of it; or why none does."""
    try:
        health = reading.serving()
    except NoAnswer as error:
        st.session_state["release_id"] = ""
        return error
    st.session_state["release_id"] = health["release_id"]
    st.session_state["made_at"] = health["created_at"]
    return None


def _foot() -> None:
    made, name = words.moment(st.session_state["made_at"]), st.session_state["release_id"]
    st.divider()
    st.caption(f"Checked data, released {made} · release {words.plain(name)}")
