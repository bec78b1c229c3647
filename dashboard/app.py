"""What Streamlit runs: which pages there are."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import frame
from dashboard.views import (
    ask,
    campaigns,
    data,
    experiments,
    forecasts,
    overview,
    quality,
    recommendations,
    segments,
    uploads,
)

_ICON = Path(__file__).with_name("icon.svg")  # one that is named by a word is fetched from elsewhere
_PAGES = (
    (overview.page, "Overview", "insights", "overview"),
    (ask.page, "Ask", "forum", "ask"),
    (campaigns.page, "Campaigns", "campaign", "campaigns"),
    (forecasts.page, "Forecasts", "trending_up", "forecasts"),
    (recommendations.page, "Recommendations", "recommend", "recommendations"),
    (experiments.page, "Experiments", "science", "experiments"),
    (quality.page, "Quality", "verified", "quality"),
    (segments.page, "Segments", "groups", "segments"),
    (uploads.page, "Upload", "upload_file", "upload"),
    (data.page, "Data", "database", "data"),
)
_WITHOUT_RELEASE = ("Upload", "Data")  # there before there is anything to show


def main() -> None:
    """One run: navigation and the page."""
    st.set_page_config(page_title="Marketing platform", page_icon=str(_ICON), layout="wide")
    pages = [
        st.Page(page, title=title, icon=f":material/{icon}:", url_path=path, default=not place)
        for place, (page, title, icon, path) in enumerate(_PAGES)
    ]
    chosen = st.navigation(pages, position="top")
    frame.show(chosen.title, chosen.run, needs_release=chosen.title not in _WITHOUT_RELEASE)


main()
