"""Writes docs/images/ with a real browser: `python -m scripts.screenshots`.

With `dashboard`, only pictures of that.

Starts an installation of its own on a temporary folder, with the sample data and one file that is
too dirty to be accepted, and looks at its Dagster UI and its dashboard. Needs Chromium or Chrome; nothing is
downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import FloatRect, Page, sync_playwright

from marketing_platform.cli.processes import free_port
from marketing_platform.settings import PROJECT_DIR

IMAGES = PROJECT_DIR / "docs" / "images"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_COMMAND = [sys.executable, "-c", "from marketing_platform.cli import main; main()"]
_LONGEST = 400_000  # bytes of an image
# The part of the page that the nodes of the graph take, with a margin.
_EXTENT = """() => {
  const boxes = [...document.querySelectorAll('foreignObject')].map(node => node.getBoundingClientRect());
  const left = Math.min(...boxes.map(box => box.left)) - 24;
  const top = Math.min(...boxes.map(box => box.top)) - 24;
  const right = Math.max(...boxes.map(box => box.right));
  const bottom = Math.max(...boxes.map(box => box.bottom));
  return {x: left, y: top, width: right - left + 24, height: bottom - top + 24};
}"""
_PATIENCE = 180.0  # seconds for the installation to come up


def main() -> None:
    """Make every picture anew, or those of the dashboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", choices=["dashboard"])
    only = parser.parse_args().only
    browser = browser_path()
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        data_dir = Path(folder, "data")
        _fill(data_dir)
        with _up(data_dir) as (ui, pages), _page(browser, Path(folder, "profile")) as page:
            IMAGES.mkdir(parents=True, exist_ok=True)
            if not only:
                _asset_graph(page, ui)
                _blocked_check(page, ui)
                _report(page, ui)
                _release(page, ui)
            _dashboard(page, pages)
    for image in sorted(IMAGES.glob("*.png")):
        size = image.stat().st_size
        print(f"{image.relative_to(PROJECT_DIR)} {size:,} bytes")
        if size > _LONGEST:
            sys.exit(f"{image.name} is larger than {_LONGEST:,} bytes; show less of the page")


def browser_path() -> str:
    """Where a browser is that pictures are taken with."""
    for name in _BROWSERS:
        if path := shutil.which(name):
            return path
    sys.exit(f"none of {', '.join(_BROWSERS)} is installed; on Debian and Ubuntu: apt-get install chromium")


def sample_installation(data_dir: Path) -> None:
    """The sample, and a release of it."""
    landing = data_dir / "landing"
    subprocess.run(
        [*_COMMAND, "sample", "write", str(landing), "--json"], check=True, stdout=subprocess.DEVNULL
    )
    subprocess.run([*_COMMAND, "run", "--data-dir", str(data_dir), "--json"], check=True)


def _fill(data_dir: Path) -> None:
    """The sample, a release of it, and then a file of which every tenth line is unreadable."""
    landing = data_dir / "landing"
    sample_installation(data_dir)
    header, *lines = (landing / "events" / "events-2026-06.csv").read_text().splitlines()
    whole = [line.replace("e-", "e-july-", 1) for line in lines if line.count(",") == header.count(",")]
    dirty = [_spoil(number, line) for number, line in enumerate(whole)]
    (landing / "events" / "events-2026-07.csv").write_text("\n".join([header, *dirty]) + "\n")
    subprocess.run([*_COMMAND, "run", "--data-dir", str(data_dir), "--json"], check=True)


def _spoil(number: int, line: str) -> str:
    cells = line.split(",")
    if number % 12 == 3:  # noqa: PLR2004
        cells[2] = "yesterday"
    if number % 50 == 7:  # noqa: PLR2004
        cells[5] = "carrier pigeon"
    return ",".join(cells)


@contextmanager
def _up(data_dir: Path) -> Generator[tuple[str, str]]:
    """The addresses of the Dagster UI and the dashboard of a running installation."""
    ports = {f"MARKETING_{name}_PORT": str(free_port()) for name in ("UI", "API", "DASHBOARD")}
    process = subprocess.Popen(
        [*_COMMAND, "up", "--data-dir", str(data_dir)], env={**os.environ, **ports}, stdout=subprocess.DEVNULL
    )
    ui = f"http://127.0.0.1:{ports['MARKETING_UI_PORT']}"
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _daemons_healthy(ui):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the installation did not come up; try `marketing-platform up`")
            time.sleep(1)
        yield ui, f"http://127.0.0.1:{ports['MARKETING_DASHBOARD_PORT']}"
    finally:
        process.terminate()
        process.wait()


def _daemons_healthy(ui: str) -> bool:
    query = "{instance{daemonHealth{allDaemonStatuses{required healthy}}}}"
    request = urllib.request.Request(
        f"{ui}/graphql", json.dumps({"query": query}).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            answer: dict[str, Any] = json.load(response)
    except OSError:
        return False
    statuses = answer["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all(status["healthy"] for status in statuses if status["required"])


@contextmanager
def _page(browser: str, profile: Path) -> Generator[Page]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=browser,
            args=["--no-sandbox", "--disable-background-networking"],
            viewport={"width": 1500, "height": 1000},
        )
        try:
            yield context.pages[0]
        finally:
            context.close()


def _asset_graph(page: Page, ui: str) -> None:
    """Every group with its assets, and what is computed from what."""
    page.set_viewport_size({"width": 2600, "height": 1500})
    page.add_init_script("localStorage.setItem('asset-graph-direction', JSON.stringify('vertical'))")
    page.goto(f"{ui}/asset-groups")
    page.get_by_text("Global asset lineage").wait_for()
    page.wait_for_timeout(3000)
    page.keyboard.press("Alt+e")  # expands every group, and notes it in the address
    page.get_by_text("validated_records").first.wait_for()
    page.goto(page.url)
    page.get_by_text("validated_records").first.wait_for()
    page.locator("[aria-label=panel_show_right]").last.click()
    page.wait_for_timeout(3000)
    _shoot(page, "asset-graph", clip=page.evaluate(_EXTENT))


def _blocked_check(page: Page, ui: str) -> None:
    """Which rule holds which batch, how many rows, and the first of them."""
    page.set_viewport_size({"width": 1500, "height": 1000})
    page.goto(f"{ui}/assets/validated_records?view=checks&checkDetail=share_valid")
    page.get_by_text("what to do").wait_for()
    page.wait_for_timeout(1500)
    _shoot(page, "blocked-check")


def _report(page: Page, ui: str) -> None:
    """A plot among the metadata of an asset."""
    page.goto(f"{ui}/assets/analytics_report?view=events")
    page.get_by_text("[Show Markdown]").nth(1).click()
    page.wait_for_timeout(1500)
    _shoot(page, "analytics-report")


def _release(page: Page, ui: str) -> None:
    """The release with its figures, owners, kinds and lineage."""
    page.goto(f"{ui}/assets/release")
    page.get_by_text("release_id").wait_for()
    page.wait_for_timeout(1500)
    _shoot(page, "release-asset")


def _dashboard(page: Page, pages: str) -> None:
    """The first page, an answer, a forecast, recommendations that say why, and the first page on a phone."""
    for name, path, height in (
        ("dashboard", "", 1130),
        ("dashboard-question", "ask?q=CAC by country in May compared with April", 860),
        ("dashboard-forecast", "forecasts?of=Conversions", 860),
        ("dashboard-recommendations", "recommendations?person=u-000018", 1000),
    ):
        page.set_viewport_size({"width": 1280, "height": height})
        _look(page, f"{pages}/{path}")
        if "recommendations" in name:
            page.get_by_test_id("stExpander").first.click()
            page.wait_for_timeout(1500)
        _shoot(page, name)
    page.set_viewport_size({"width": 360, "height": 740})
    _look(page, pages)
    _shoot(page, "dashboard-phone")


def _look(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_text("Checked data, released").wait_for()
    page.wait_for_timeout(1500)


def _shoot(page: Page, name: str, clip: FloatRect | None = None) -> None:
    page.screenshot(path=IMAGES / f"{name}.png", clip=clip)


if __name__ == "__main__":
    main()
