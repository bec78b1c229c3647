"""The dashboard as people meet it: its own process, a real API, a real browser."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from marketing_platform.settings import PROJECT_DIR
from marketing_platform_tests.callers import new_key
from marketing_platform_tests.dashboard.conftest import SCOPES, listening, platform_in
from marketing_platform_tests.dashboard.test_uploads import GOOD, HEADER
from marketing_platform_tests.servers import chromium
from marketing_platform_tests.servers.base import free_port, started
from marketing_platform_tests.serving.conftest import Platform

PAGES = ("", "ask", "campaigns", "forecasts", "recommendations", "experiments", "quality", "upload", "data")
PATIENCE = 30_000  # milliseconds
PHONE_WIDTH = 360  # pixels


@dataclass(frozen=True)
class Shown:
    """A dashboard that runs, and what stands behind it."""

    url: str
    platform: Platform


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("dashboard")
    platform = platform_in(folder / "data")
    platform.publish(1)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with listening(platform.app()) as api:
        environment = {
            "PYTHONPATH": str(PROJECT_DIR),
            "MARKETING_DATA_DIR": str(platform.settings.data_dir),
            "MARKETING_DASHBOARD_API_URL": api,
            "MARKETING_DASHBOARD_KEY": new_key(platform.settings, SCOPES),
        }
        command = [sys.executable, "-m", "dashboard", "--port", str(port)]
        with started(
            command, endpoint=url, folder=folder, answers=lambda: _answers(url), environment=environment
        ):
            yield Shown(url, platform)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=chromium.installed(),
            args=["--no-sandbox", "--disable-background-networking"],
            color_scheme="light",
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield context
        context.close()


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


def opened(page: Page, dashboard: Shown, path: str = "") -> Page:
    page.goto(f"{dashboard.url}/{path}")
    expect(page.get_by_text("Checked data, released")).to_be_visible()
    return page


def test_cards_come_first_and_nothing_is_fetched_from_elsewhere(page: Page, dashboard: Shown) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, dashboard)
    expect(page.get_by_test_id("stMetric")).to_have_count(5)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(dashboard.url).netloc}


def test_what_is_chosen_is_in_the_address_and_shows_again(page: Page, dashboard: Shown) -> None:
    opened(page, dashboard)
    page.get_by_role("combobox", name="Period").click()
    page.get_by_role("option", name="Last 7 days").click()
    expect(page.get_by_text("14–20 Nov 2026").first).to_be_visible()
    assert parse_qs(urlsplit(page.url).query)["period"] == ["Last 7 days"]
    page.reload()
    expect(page.get_by_text("14–20 Nov 2026").first).to_be_visible()


def test_a_question_by_keyboard_alone(page: Page, dashboard: Shown) -> None:
    opened(page, dashboard)
    _tab_to(page, "Ask")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ask")
    _tab_to(page, "Ask about your figures")
    page.keyboard.type("CAC by country last 30 days")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Understood as: CAC by country")).to_be_visible()
    chart = page.locator("[aria-label*='CAC by country']")  # for who does not see it
    expect(chart.first).to_be_attached()


def _tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on what is called so."""
    named = "e => e.getAttribute('aria-label') || e.innerText || ''"
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(f"({named})(document.activeElement)")
        if focused.strip().split("\n")[-1] == name:
            return
    pytest.fail(f"{name} is not reached by Tab")


def test_what_is_folded_is_drawn_when_unfolded(page: Page, dashboard: Shown) -> None:
    opened(page, dashboard)
    code = page.get_by_test_id("stCode")
    expect(code).to_have_count(0)
    page.get_by_text("How Spend comes about").click()
    expect(code.first).to_contain_text("kpi_daily")


def test_an_unusual_day_is_told_and_marked_in_the_trend(page: Page, dashboard: Shown) -> None:
    opened(page, dashboard, "?platform=Meta")
    expect(page.get_by_text("Spend on Meta was $100.00; $20.00 to $60.00 was expected.")).to_be_visible()
    expect(page.locator("[aria-label*='Unusual: 2026-11-20']").first).to_be_visible()


def test_an_uploaded_file_is_judged_and_lands(page: Page, dashboard: Shown, tmp_path: Path) -> None:
    file = tmp_path / "ads_spend_june.csv"
    file.write_text("\n".join([HEADER, *[GOOD] * 99, "no line", ""]))
    opened(page, dashboard, "upload")
    page.get_by_role("combobox", name="What is it?").click()
    page.get_by_role("option", name="Daily figures per campaign, country and device").click()
    page.locator("input[type=file]").set_input_files(file)
    # The first check imports Great Expectations.
    expect(page.get_by_text("It would be taken,")).to_be_visible(timeout=4 * PATIENCE)
    landed = dashboard.platform.settings.landing_dir / file.name
    assert not landed.exists()
    page.get_by_role("button", name="Land this file").click()
    expect(page.get_by_text("It waits to be taken")).to_be_visible()
    assert landed.read_bytes() == file.read_bytes()


def test_pages_fit_a_phone(page: Page, dashboard: Shown) -> None:
    page.set_viewport_size({"width": PHONE_WIDTH, "height": 740})
    for path in PAGES:
        opened(page, dashboard, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH, path
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Campaigns").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Campaigns")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_pass_axe(page: Page, dashboard: Shown, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    for path in PAGES:
        opened(page, dashboard, path)
        page.wait_for_timeout(500)  # what fades in is faint until then
        assert not barriers(page), path


def barriers(page: Page) -> dict[str, list[str]]:
    """What axe finds that keeps somebody out: examples by rule."""
    # Streamlit's little charts on cards have marks without words; the card says the figures.
    context = {"exclude": [["[data-testid=stMetricChart]"]]}
    found = Axe().run(page, context=context).response["violations"]
    return {
        each["id"]: [node["html"][:160] for node in each["nodes"][:4]]
        for each in found
        if each["impact"] in ("serious", "critical")
    }
