"""Health is open to everybody; what is inside is told to those who may read metrics."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from fastapi.testclient import TestClient

from marketing_platform.access import Scope
from marketing_platform.encoders import Encoder
from marketing_platform_tests.callers import client_of
from marketing_platform_tests.serving.conftest import Platform, await_until
from serving.app import create_app


def health_for(platform: Platform, scopes: Collection[Scope]) -> dict[str, Any]:
    """What a key with these scopes is told, and without any, who sends none."""
    app = platform.app()
    with client_of(platform.settings, app, scopes) if scopes else TestClient(app) as client:
        missing = platform.build(2)
        platform.stores.answers.drop(missing.answers["recommendations"].name)
        platform.shelf.publish(missing, expected="r-gen1")
        await_until(lambda: client.get("/api/v1/health").json()["status"] == "degraded")
        return client.get("/api/v1/health").json()


@pytest.mark.slow
@pytest.mark.parametrize("scopes", [(), (Scope.ADMIN, Scope.WRITE_DATA)], ids=["nobody", "with other scopes"])
def test_what_is_wrong_is_said_and_not_why(fresh_platform: Platform, scopes: Collection[Scope]) -> None:
    fresh_platform.publish(1)
    assert health_for(fresh_platform, scopes)["degraded_reason"] == "newest release"


def test_why_is_said_to_who_may_read_metrics(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    reason = health_for(fresh_platform, [Scope.READ_ANALYTICS])["degraded_reason"]
    assert "r-gen2" in reason
    assert "recommendations__gen2" in reason


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_without_a_release_it_lives_and_is_not_ready(fresh_platform: Platform, prefix: str) -> None:
    with TestClient(fresh_platform.app()) as client:
        assert client.get(f"{prefix}/health/live").json() == {"status": "alive"}
        for path in ("/health/ready", "/health"):
            answer = client.get(f"{prefix}{path}")
            assert (answer.status_code, answer.json()["error_code"]) == (503, "no_release")
            assert answer.json()["details"] == {}
        fresh_platform.publish(1)
        await_until(lambda: client.get(f"{prefix}/health/ready").status_code == 200)
        assert client.get(f"{prefix}/health/ready").json()["release_id"] == "r-gen1"
        assert client.get(f"{prefix}/health").json()["status"] == "ok"


def test_it_is_ready_once_the_live_path_was_tried(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)

    def never() -> Encoder:
        raise OSError("no model here")

    with TestClient(create_app(fresh_platform.settings, encoder=never, poll_seconds=0.02)) as client:
        await_until(lambda: client.get("/health/ready").status_code == 200)
        health = client.get("/health").json()
        assert (health["status"], health["live_path"]) == ("degraded", "failed")
        assert health["degraded_reason"] == "encoder"
        assert set(health["areas"].values()) == {"ok"}
