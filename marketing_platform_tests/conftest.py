"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from marketing_platform_tests.servers.shared import end_all

# Tests ask more than people do; those about limits set their own.
for _limit in ("BURST", "SUSTAINED", "ANONYMOUS_BURST", "ANONYMOUS_SUSTAINED"):
    os.environ[f"MARKETING_LIMIT_{_limit}"] = "1000000"

PROJECT = Path(__file__).resolve().parent.parent


def pytest_sessionfinish() -> None:
    """Ends the servers of this process; at its exit a worker of xdist would be killed while they end."""
    end_all()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What a first try failed with, where CI tried once more; the plugin keeps its name alone."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"first try of {report.nodeid}", sep="_")
        terminalreporter.write_line(report.longreprtext)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; tests that need it skip where it is absent."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data is not here ({folder})")
    return folder
