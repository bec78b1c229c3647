"""The whole main job on servers gives the answers that it gives on the embedded stores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.servers import bigquery, profile
from marketing_platform_tests.servers.shared import shared

USERS = 60
EVENTS = 1_500
_LIVE_PATH_SECONDS = 60


@pytest.fixture(params=["postgres", "bigquery"])
def on_servers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Installation:
    """An installation whose stores are the session's servers, told by the environment alone."""
    settings = [*profile.shared_settings().values()]
    if request.param == "bigquery":
        settings.append(bigquery.settings(shared(bigquery.running)))
    profile.tell(monkeypatch, profile.environment(*settings))
    installation = Installation(Settings(warehouse=request.param, data_dir=tmp_path / "servers"))
    write_sample(tmp_path / "sample", users=USERS, events=EVENTS)
    profile.land(installation, tmp_path / "sample")
    return installation


def _without_release(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name != "release_id"}


def _answers(installation: Installation, paths: list[str]) -> list[Any]:
    with installation.api() as client:
        deadline = time.monotonic() + _LIVE_PATH_SECONDS
        while client.get("/api/v1/health").json()["live_path"] == "starting" and time.monotonic() < deadline:
            time.sleep(0.1)
        return [client.get(path).json() for path in paths]


def test_both_profiles_answer_the_same(on_servers: Installation, tmp_path: Path) -> None:
    embedded = Installation(Settings(profile="embedded", data_dir=tmp_path / "embedded"))
    profile.land(embedded, tmp_path / "sample")
    told, told_embedded = on_servers.run(), embedded.run()
    for figure in ("rows_landed", "rows_valid", "rows_quarantined", "users", "campaigns", "vectors", "edges"):
        assert told[figure] == told_embedded[figure], figure
    users = [row[0] for row in embedded.query("SELECT user_id FROM users ORDER BY user_id LIMIT 12")]
    paths = [
        "/analytics/campaign-performance?limit=100",
        "/analytics/daily-activity?limit=500",
        "/analytics/user-engagement?sort=user_id&order=asc&limit=500",
        *(f"/recommendations/{quote(user)}" for user in users),
        *(
            f"/recommendations/{quote(user)}?message=is%20the%20tent%20waterproof&limit=5"
            for user in users[:3]
        ),
        *(f"/recommendations/similar-users?user_id={quote(user)}" for user in users),
        *(f"/graph/user-campaigns?user_id={quote(user)}" for user in users),
    ]
    found_on_servers, found_embedded = _answers(on_servers, paths), _answers(embedded, paths)
    for path, found, expected in zip(paths, found_on_servers, found_embedded, strict=True):
        assert _without_release(found) == _without_release(expected), path
