"""What Streamlit runs: the frame around every page, and which pages there are."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import reading, states, words
from dashboard.api import NoAnswer
from dashboard.views import ask, campaigns, data, overview, quality, recommendations, uploads

_ICON = Path(__file__).with_name("icon.svg")  # what is named by a word is fetched from elsewhere
_WITHOUT_RELEASE = ("upload", "data")  # pages that are there before there is anything to show


def main() -> None:
    """One run: navigation, the page, and which release it shows."""
    st.set_page_config(page_title="Marketing platform", page_icon=str(_ICON), layout="wide")
    page = st.navigation(
        [
            st.Page(
                overview.page, title="Overview", icon=":material/insights:", url_path="overview", default=True
            ),
            st.Page(ask.page, title="Ask", icon=":material/forum:", url_path="ask"),
            st.Page(campaigns.page, title="Campaigns", icon=":material/campaign:", url_path="campaigns"),
            st.Page(
                recommendations.page,
                title="Recommendations",
                icon=":material/recommend:",
                url_path="recommendations",
            ),
            st.Page(quality.page, title="Quality", icon=":material/verified:", url_path="quality"),
            st.Page(uploads.page, title="Upload", icon=":material/upload_file:", url_path="upload"),
            st.Page(data.page, title="Data", icon=":material/database:", url_path="data"),
        ],
        position="top",
    )
    st.title(page.title)
    problem = _release()
    if problem is not None and page.url_path not in _WITHOUT_RELEASE:
        states.show(problem)
        return
    with states.told():
        page.run()
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
    st.caption(f"Checked data, released {made} · release {name}")


main()
