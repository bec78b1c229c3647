"""A server that answers after seconds: deadlines hold, and whoever does not need it notices nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic_settings import BaseSettings
from structlog.testing import capture_logs

from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.acceptance.landed import conversation, csv
from marketing_platform_tests.callers import client_of
from marketing_platform_tests.servers import profile
from marketing_platform_tests.servers.slow_network import Line, slow_network
from serving.app import create_app

API_SECONDS = 2.0
_SLOW = 6.0  # seconds for every piece of an answer
_MANY = 50
# A route that needs the server, and the variable of the deadline that the pipeline writes with.
ROUTES = {
    "MongoDB": "/recommendations/user-{n}",
    "PostgreSQL": "/analytics/campaign-performance?limit={n}",
    "Neo4j": "/graph/user-campaigns?user_id=user-1&limit={n}",
}
_DEADLINES = {
    "MongoDB": {"read_seconds": 3.0, "write_seconds": 3.0},
    "PostgreSQL": {"read_seconds": 3.0},
    "Neo4j": {"read_seconds": 3.0, "write_seconds": 3.0, "retry_seconds": 3.0},
}


@dataclass(frozen=True)
class Slowed:
    """An installation whose servers are reached over lines that can be slowed down."""

    installation: Installation
    lines: dict[str, Line]
    api: TestClient
    folder: Path


def _through(line: Line, name: str, settings: BaseSettings) -> BaseSettings:
    """The same settings by way of the line, with little patience."""
    where: dict[str, Any] = {
        "MongoDB": {"hosts": f"127.0.0.1:{line.port}"},
        "PostgreSQL": {"port": line.port},
        "Neo4j": {"uri": f"bolt://127.0.0.1:{line.port}"},
    }[name]
    return settings.model_copy(update={**where, **_DEADLINES[name]})


def _port(name: str, settings: BaseSettings) -> int:
    known = settings.model_dump()
    return int(str(known.get("port") or known.get("hosts") or known["uri"]).rpartition(":")[2])


@pytest.fixture(scope="module")
def slowed(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Slowed]:
    folder = tmp_path_factory.mktemp("slowed")
    settings = profile.shared_settings()
    with ExitStack() as stack:
        lines = {
            name: stack.enter_context(slow_network("127.0.0.1", _port(name, settings[name])))
            for name in ROUTES
        }
        settings |= {name: _through(line, name, settings[name]) for name, line in lines.items()}
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        profile.tell(patch, profile.environment(*settings.values()))
        stack.enter_context(capture_logs())
        installation = profile.installation(
            folder / "servers", models, profile="servers", api_seconds=API_SECONDS
        )
        _land(installation, folder, "first")
        installation.run()
        app = create_app(installation.settings, poll_seconds=0.05)
        yield Slowed(installation, lines, stack.enter_context(client_of(installation.settings, app)), folder)


def _land(installation: Installation, folder: Path, name: str) -> None:
    (folder / "landed" / name).mkdir(parents=True)
    (folder / "landed" / name / "events.csv").write_text(csv(conversation(name, rows=60)))
    profile.land(installation, folder / "landed", [f"{name}/events.csv"])


def _asked(api: TestClient, path: str) -> tuple[int, float, Any]:
    began = time.monotonic()
    answer = api.get(path)
    return answer.status_code, time.monotonic() - began, answer


@pytest.mark.parametrize("name", ROUTES)
def test_the_api_answers_in_time_and_recovers(slowed: Slowed, name: str) -> None:
    route = ROUTES[name]
    slowed.lines[name].delay = _SLOW
    try:
        with ThreadPoolExecutor(_MANY) as clients:
            waiting = [clients.submit(_asked, slowed.api, route.format(n=n % 12 + 1)) for n in range(_MANY)]
            time.sleep(0.3)
            status, took, _ = _asked(slowed.api, "/api/v1/health")
            assert (status, took < 1) == (200, True), took
            for other in ROUTES.keys() - {name}:
                status, took, _ = _asked(slowed.api, ROUTES[other].format(n=11))
                assert (status, took < API_SECONDS) == (200, True), (other, status, took)
            for status, took, answer in (asked.result() for asked in waiting):
                assert took < API_SECONDS + 1.5
                assert status in (200, 503)  # 200: from the cache
                if status == 503:
                    assert answer.headers["Retry-After"]
            assert slowed.api.get("/api/v1/health").json()["status"] == "degraded"
    finally:
        slowed.lines[name].delay = 0.0
    deadline = time.monotonic() + 40
    while _asked(slowed.api, route.format(n=10))[0] != 200:
        assert time.monotonic() < deadline, "did not recover"
        time.sleep(0.2)
    assert slowed.api.get("/api/v1/health").status_code == 200


def test_the_pipeline_says_who_was_too_slow(slowed: Slowed) -> None:
    before = slowed.installation.release()
    _land(slowed.installation, slowed.folder, "slow")
    slowed.lines["Neo4j"].delay = _SLOW
    failed = slowed.installation.command("run", "--json")
    assert failed.code == 1
    assert "Neo4j" in failed.err
    assert "Traceback" not in failed.err
    assert slowed.installation.release() == before
    slowed.lines["Neo4j"].delay = 0.0
    assert slowed.installation.command("run", "--json").code == 0
    assert slowed.installation.release().totals.rows_landed == 120
