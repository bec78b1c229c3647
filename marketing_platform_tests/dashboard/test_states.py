"""Nothing to show: no release, no API, a key that may not, too many questions. Every page says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.access import Scope
from marketing_platform_tests.dashboard.conftest import asking, listening, platform_in
from marketing_platform_tests.dashboard.pages import opened, text
from marketing_platform_tests.serving.conftest import Platform
from serving.app import create_app
from serving.limits.settings import LimitSettings

VIEWS = ("overview", "ask", "campaigns", "forecasts", "recommendations", "experiments", "quality")


@pytest.mark.slow
def test_without_a_release_pages_say_how_to_get_one(tmp_path: Path) -> None:
    platform = platform_in(tmp_path)
    with listening(platform.app()) as url, asking(platform, url):
        for view in VIEWS:
            shown = text(opened(view))
            assert "There are no figures yet" in shown, view
            assert "Upload" in shown
        uploads = opened("uploads", needs_release=False)
        assert uploads.selectbox[0].label == "What is it?"
        assert "No file has landed yet" in text(opened("data", needs_release=False))


def test_a_release_that_comes_is_shown_at_the_next_look(tmp_path: Path) -> None:
    platform = platform_in(tmp_path)
    with listening(platform.app()) as url, asking(platform, url):
        page = opened("quality")
        assert not page.metric
        platform.publish(1)
        for _ in range(100):
            if page.button[0].label != "Try again":
                break
            page.button[0].click().run()
            if page.metric:
                break
        assert page.metric
        platform.publish(2)
        for _ in range(100):
            page.run()
            if "r-gen2" in text(page).replace("\\", ""):
                break
        assert "NDCG" in text(page)
        assert page.session_state["release_id"] == "r-gen2"


@pytest.mark.slow
def test_an_api_that_is_down_is_named_with_what_to_do(platform: Platform) -> None:
    with asking(platform, "http://127.0.0.1:9"):
        for view in VIEWS:
            page = opened(view)
            assert "The platform cannot be reached" in text(page)
            assert "marketing-platform up" in text(page)
            assert [button.label for button in page.button] == ["Try again"]
        parts = opened("data", needs_release=False)  # each says for itself what is missing
        assert [button.label for button in parts.button] == ["Try again"] * 3


@pytest.mark.parametrize("key", ["x" * 40, "mp_0123456789"], ids=["no key at all", "unknown"])
def test_a_key_that_is_not_good(platform: Platform, url: str, key: str) -> None:
    with asking(platform, url, MARKETING_DASHBOARD_KEY=key):
        assert "not known to the platform" in text(opened("overview"))


def test_a_page_that_the_key_may_not_see_says_so_and_others_work(platform: Platform, url: str) -> None:
    with asking(platform, url, (Scope.READ_ANALYTICS,)):
        assert "may not show this" in text(opened("recommendations"))
        assert "may not show this" in text(opened("data", needs_release=False))
        assert len(opened("overview").metric) == 5


@pytest.mark.slow
def test_too_many_questions_at_once_asks_for_patience(platform: Platform) -> None:
    limits = LimitSettings(burst=1, sustained=3)
    app = create_app(platform.settings, limits=limits)
    with listening(app) as url, asking(platform, url):
        pages = [text(opened("overview")) for _ in range(3)]
        assert any(
            "Too many questions at once" in shown and "Please try again in" in shown for shown in pages
        )
