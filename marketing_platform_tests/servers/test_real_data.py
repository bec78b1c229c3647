"""Real conversations and real order lines: servers and embedded stores give the same answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.servers import profile

# The file has 541,909; the servers of a test machine take minutes for all of them.
_ORDER_LINES = 100_000
_LIVE_PATH_SECONDS = 60


@dataclass(frozen=True)
class Both:
    """The same files through both profiles."""

    servers: Installation
    embedded: Installation


@pytest.fixture(scope="module")
def both(shared_data: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("real")
    landed = folder / "landed"
    landed.mkdir()
    (landed / "events.csv").write_bytes((shared_data / "conversations" / "events.csv").read_bytes())
    lines = pq.read_table(shared_data / "online_retail" / "online_retail.parquet").slice(0, _ORDER_LINES)
    pq.write_table(lines, landed / "online_retail.parquet")
    embedded = profile.installation(folder / "embedded", models)
    profile.land(embedded, landed)
    embedded.run()
    with pytest.MonkeyPatch.context() as patch:
        profile.tell(patch, profile.environment(*profile.shared_settings().values()))
        servers = profile.installation(folder / "servers", models, profile="servers")
        profile.land(servers, landed)
        servers.run()
        yield Both(servers, embedded)


def test_they_hold_the_same(both: Both) -> None:
    found, expected = profile.counted(both.servers), profile.counted(both.embedded)
    for content in ("tables", "vectors", "graphs", "answers", "totals"):
        assert found[content] == expected[content], content


def test_they_answer_the_same(both: Both) -> None:
    users = [
        row[0]
        for table in ("events", "purchases")
        for row in both.embedded.query(
            f"SELECT DISTINCT user_id FROM {table} WHERE user_id IS NOT NULL ORDER BY 1 LIMIT 10"
        )
    ]
    assert len(users) == 20
    paths = [
        "/analytics/campaign-performance?limit=100",
        "/analytics/daily-activity?limit=500",
        "/analytics/user-engagement?sort=user_id&order=asc&limit=500",
        *(f"/recommendations/{quote(user)}" for user in users),
        *(f"/recommendations/{quote(user)}?message=my%20card%20was%20swallowed" for user in users[:3]),
        *(f"/recommendations/similar-users?user_id={quote(user)}" for user in users),
        *(f"/graph/user-campaigns?user_id={quote(user)}" for user in users),
    ]
    found, expected = _answers(both.servers, paths), _answers(both.embedded, paths)
    for path in paths:
        assert found[path] == expected[path], path


def _answers(installation: Installation, paths: list[str]) -> dict[str, Any]:
    with installation.api() as client:
        deadline = time.monotonic() + _LIVE_PATH_SECONDS
        while client.get("/api/v1/health").json()["live_path"] == "starting" and time.monotonic() < deadline:
            time.sleep(0.1)
        answers = {path: client.get(path).json() for path in paths}
    return {path: {**answer, "release_id": None} for path, answer in answers.items()}
