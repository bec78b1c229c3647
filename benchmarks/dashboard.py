"""The dashboard's first page over a million rows of ads, in Chromium: `python -m benchmarks.dashboard`.

Times are from the address being opened to five cards being seen, and to the end of the page, of a server
that has answered one visit. A browser's first load fetches the pages' scripts; the loads after it have them.
Every load is a session of its own. `--loads` are browsers that never were there, and loads of one that was;
then come views that nobody asked for before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, Playwright, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks import analytics_clients
from benchmarks.page import Section, prose, table, wanted, write
from marketing_platform.cli.processes import (
    Process,
    api_command,
    dashboard_command,
    free_port,
    running,
    wait_for,
)
from marketing_platform.settings import Settings
from marketing_platform_tests.callers import new_key
from marketing_platform_tests.dashboard.conftest import SCOPES

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CARDS = 5
_PATIENCE, _SETTLED = 120_000, 2_000  # milliseconds
_VIEWS = (
    "",
    "?period=This+year",
    "?period=Last+90+days",
    "?device=phone",
    "?platform=Meta",
    "?period=Last+7+days",
)


@dataclass(frozen=True)
class Load:
    """One visit: seconds of waiting, and seconds of CPU of the two servers until the page was whole."""

    what: str
    cards: float
    whole: float
    api: float
    dashboard: float


def measured(folder: Path, loads: int) -> list[Load]:
    """Publish a release, start the API and the dashboard on it, and open the first page."""
    settings = Settings(data_dir=folder)  # pyright: ignore[reportCallIssue]
    analytics_clients.publish(settings)
    api, pages = free_port(), free_port()
    told = {
        "MARKETING_DASHBOARD_API_URL": f"http://127.0.0.1:{api}",
        "MARKETING_DASHBOARD_KEY": new_key(settings, SCOPES),
    }
    commands = {"api": api_command("127.0.0.1", api), "dashboard": dashboard_command("127.0.0.1", pages)}
    with running(commands, settings, log=folder / "servers.log", more=told) as servers:
        wait_for(f"http://127.0.0.1:{api}/health/ready", servers["api"], seconds=120)
        wait_for(f"http://127.0.0.1:{pages}/_stcore/health", servers["dashboard"], seconds=120)
        with sync_playwright() as playwright:
            return _visits(
                playwright, f"http://127.0.0.1:{pages}/", servers["api"], servers["dashboard"], loads
            )


def _visits(playwright: Playwright, url: str, api: Process, dashboard: Process, loads: int) -> list[Load]:
    found: list[Load] = []
    with _browser(playwright) as page:
        found.append(_visit(page, url, "the servers' first visit", api, dashboard))
    for _ in range(loads - 1):
        with _browser(playwright) as page:
            found.append(_visit(page, url, "a browser that was never here", api, dashboard))
    with _browser(playwright) as page:
        found.append(_visit(page, url, "a browser that was never here", api, dashboard))
        found += [_visit(page, url, "the same browser, a new session", api, dashboard) for _ in range(loads)]
        found += [_visit(page, url + view, f"new: {view}", api, dashboard) for view in _VIEWS[1:]]
    return found


@contextmanager
def _browser(playwright: Playwright) -> Generator[Page]:
    path = next(filter(None, map(shutil.which, _BROWSERS)))
    with TemporaryDirectory(prefix="bench-dashboard-") as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=path,
            args=["--no-sandbox", "--disable-background-networking"],
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(_PATIENCE)
        try:
            page = context.new_page()
            page.wait_for_timeout(_SETTLED)  # what a browser does when it starts is no part of a visit
            yield page
        finally:
            context.close()


def _visit(page: Page, url: str, what: str, api: Process, dashboard: Process) -> Load:
    page.goto("about:blank")
    before = _cpu(api.pid), _cpu(dashboard.pid)
    started = time.perf_counter()
    page.goto(url)
    page.get_by_test_id("stMetric").nth(_CARDS - 1).wait_for()
    cards = time.perf_counter() - started
    page.get_by_text("Checked data, released").wait_for()
    whole = time.perf_counter() - started
    return Load(what, cards, whole, _cpu(api.pid) - before[0], _cpu(dashboard.pid) - before[1])


def _cpu(process: int) -> float:
    """Seconds of CPU that a process has had, by the kernel's count."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _shown(loads: Sequence[Load]) -> Table:
    shown = Table("visit", "cards, s", "whole page, s", "API, CPU s", "dashboard, CPU s")
    for load in loads:
        shown.add_row(load.what, *(f"{figure:.2f}" for figure in _seconds(load)))
    return shown


def section(loads: Sequence[Load]) -> tuple[str, str]:
    """What the page says: visits of one kind as their median."""
    told = f"""The first page over {analytics_clients.ROWS:,} rows of ads in Chromium, each time in a session
        of its own: seconds from the address being opened to five cards being seen, to the end of the page,
        and of CPU of the two servers. Visits of one kind are given by their median."""
    rows = [
        [what, *(f"{median(kind):.2f}" for kind in zip(*map(_seconds, visits), strict=True))]
        for what, visits in _by_kind(loads).items()
    ]
    head = ("visit", "cards, s", "whole page, s", "API, CPU s", "dashboard, CPU s")
    return prose(told), table(head, rows)


def _by_kind(loads: Sequence[Load]) -> dict[str, list[Load]]:
    kinds: dict[str, list[Load]] = {}
    for load in loads:
        what = "a view that nobody asked for before" if load.what.startswith("new: ") else load.what
        kinds.setdefault(what, []).append(load)
    return kinds


def _seconds(load: Load) -> tuple[float, ...]:
    return load.cards, load.whole, load.api, load.dashboard


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    options = parser.parse_args()
    load = wanted()
    with TemporaryDirectory(prefix="bench-dashboard-") as folder:
        loads = measured(Path(folder), options.loads)
    Console(width=110).print(_shown(loads), f"load of the machine: {load:.1f}")
    if options.write_docs:
        write(Section.DASHBOARD, *section(loads), load=load)


if __name__ == "__main__":
    main()
