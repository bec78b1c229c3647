"""A real API on loopback over a small release, and the dashboard's settings that lead to it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import streamlit as st
import uvicorn
from fastapi import FastAPI

from marketing_platform.access import Scope
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.callers import new_key
from marketing_platform_tests.servers.base import free_port
from marketing_platform_tests.serving.conftest import Platform, await_until

SCOPES = (Scope.READ_ANALYTICS, Scope.READ_RECOMMENDATIONS, Scope.WRITE_DATA, Scope.READ_AUDIT)


def platform_in(folder: Path) -> Platform:
    """A platform without a release."""
    settings = Settings(data_dir=folder)
    return Platform(settings, open_stores(settings), open_records(settings).shelf)


@contextmanager
def listening(app: FastAPI) -> Generator[str]:
    """The address of the API while it answers on loopback."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        await_until(lambda: server.started, seconds=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def asking(
    platform: Platform, url: str, scopes: tuple[Scope, ...] = SCOPES, **more: str
) -> Generator[pytest.MonkeyPatch]:
    """The environment of a dashboard that asks the API at `url` with a key of these scopes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKETING_DATA_DIR", str(platform.settings.data_dir))
        patch.setenv("MARKETING_DASHBOARD_API_URL", url)
        patch.setenv("MARKETING_DASHBOARD_KEY", new_key(platform.settings, scopes))
        for name, value in more.items():
            patch.setenv(name, value)
        forget()
        yield patch
    forget()


def forget() -> None:
    """What the pages remember belongs to one API."""
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform with one release."""
    made = platform_in(tmp_path_factory.mktemp("platform"))
    made.publish(1)
    return made


@pytest.fixture(scope="module")
def url(platform: Platform) -> Iterator[str]:
    with listening(platform.app()) as address:
        yield address


@pytest.fixture
def dashboard(platform: Platform, url: str) -> Iterator[None]:
    """The pages lead to the release."""
    with asking(platform, url):
        yield
