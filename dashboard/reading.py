"""What pages read: asked once per release, whoever looks, since a release never changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.api import Api, Parameters
from dashboard.settings import load_dashboard_settings
from marketing_platform.analytics.kpis import Registry, load_registry
from marketing_platform.settings import Settings, load_settings
from marketing_platform.sources import SourceSpec, load_sources

_REMEMBERED = 2_000  # answers


@st.cache_resource(show_spinner=False)
def api() -> Api:
    """The API, one for all sessions."""
    return Api(load_dashboard_settings())


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Where declarations are."""
    return load_settings()


@st.cache_resource(show_spinner=False)
def registry() -> Registry:
    """The KPIs that are declared: their names, units and dimensions. Figures come from the API alone."""
    return load_registry(settings().kpis_dir)


@st.cache_resource(show_spinner=False)
def sources() -> tuple[SourceSpec, ...]:
    """The sources that are declared."""
    return load_sources(settings().sources_dir)


def serving() -> dict[str, Any]:
    """The release that answers now, and how the API is; NoAnswer when there is none."""
    return api().get("/api/v1/health")


def read(path: str, parameters: Parameters | None = None) -> dict[str, Any]:
    """An answer of the release that serves."""
    release = st.session_state.setdefault("release_id", "")
    asked = tuple(
        (name, tuple(value) if isinstance(value, list) else value)
        for name, value in (parameters or {}).items()
    )
    try:
        return _remembered(release, path, asked)
    except _Other as other:  # swapped since the page began, or by another process of the API
        return other.answer


class _Other(Exception):
    """Another release answered than the one that it would be remembered for."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


@st.cache_data(show_spinner=False, max_entries=_REMEMBERED)
def _remembered(release: str, path: str, asked: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    parameters: Mapping[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in asked
    }
    answer = api().get(path, parameters)
    if answer["release_id"] != release:
        raise _Other(answer)
    return answer
