"""The whole main job on servers gives the answers that it gives on the embedded stores."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.servers import bigquery, gcs, milvus, mongo, neo4j, postgres, redis
from marketing_platform_tests.servers.shared import shared

USERS = 60
EVENTS = 1_500
_LIVE_PATH_SECONDS = 60


@pytest.fixture(params=["postgres", "bigquery"])
def on_servers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Installation:
    """An installation whose stores are the session's servers, told by the environment alone."""
    given = {
        "MONGO": mongo.settings(shared(mongo.running)),
        "POSTGRES": postgres.settings(shared(postgres.running)),
        "MILVUS": milvus.emptied(milvus.settings(shared(milvus.running).endpoint)),
        "NEO4J": neo4j.emptied(neo4j.settings(shared(neo4j.running).endpoint)),
        "REDIS": redis.settings(shared(redis.running)),
        "GCS": gcs.settings(shared(gcs.running)),
    }
    if request.param == "bigquery":
        given["BIGQUERY"] = bigquery.settings(shared(bigquery.running))
    monkeypatch.setenv("MARKETING_API_SECRET", secrets.token_hex(24))
    for prefix, settings in given.items():
        for name, value in settings.model_dump(exclude_none=True, exclude_defaults=True).items():
            monkeypatch.setenv(f"MARKETING_{prefix}_{name.upper()}", str(value))
    settings = Settings(profile="servers", warehouse=request.param, data_dir=tmp_path / "servers")
    installation = _landed(settings)
    for path in settings.landing_dir.rglob("*.*"):
        name = path.relative_to(settings.landing_dir).as_posix()
        open_stores(settings).objects.put(name, [path.read_bytes()])
    return installation


def _landed(settings: Settings) -> Installation:
    write_sample(settings.landing_dir, users=USERS, events=EVENTS)
    return Installation(settings)


def _without_release(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name != "release_id"}


def _answers(installation: Installation, paths: list[str]) -> list[Any]:
    with installation.api() as client:
        deadline = time.monotonic() + _LIVE_PATH_SECONDS
        while client.get("/api/v1/health").json()["live_path"] == "starting" and time.monotonic() < deadline:
            time.sleep(0.1)
        return [client.get(path).json() for path in paths]


def test_both_profiles_answer_the_same(on_servers: Installation, tmp_path: Path) -> None:
    embedded = _landed(Settings(data_dir=tmp_path / "embedded"))
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
