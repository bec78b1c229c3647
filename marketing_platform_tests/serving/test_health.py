"""Health is open to everybody; what is inside is told to those who may read metrics."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from marketing_platform.encoders import Encoder
from marketing_platform_tests.serving.conftest import Platform, await_until
from serving.app import create_app


@dataclass(frozen=True)
class Caller:
    """Who calls, as far as health looks at them."""

    scopes: Collection[str] = ()
    id: str = "mp_caller"
    user_id: None = None


class CalledBy:
    """Puts a caller, or none, in place of whoever the API found."""

    def __init__(self, app: ASGIApp, caller: Caller | None) -> None:
        self._app = app
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["principal"] = self._caller
        await self._app(scope, receive, send)


def health_for(platform: Platform, caller: Caller | None) -> dict[str, Any]:
    app = platform.app()
    app.add_middleware(CalledBy, caller=caller)
    # Inside of whatever finds out who calls, so that this caller is the one that counts.
    app.user_middleware.append(app.user_middleware.pop(0))
    with TestClient(app) as client:
        missing = platform.build(2)
        platform.stores.answers.drop(missing.answers["recommendations"].name)
        platform.shelf.publish(missing, expected="r-gen1")
        await_until(lambda: client.get("/api/v1/health").json()["status"] == "degraded")
        return client.get("/api/v1/health").json()


@pytest.mark.parametrize(
    "caller", [None, Caller(), Caller(["admin"])], ids=["nobody", "without scopes", "with another scope"]
)
def test_what_is_wrong_is_said_and_not_why(fresh_platform: Platform, caller: Caller | None) -> None:
    fresh_platform.publish(1)
    assert health_for(fresh_platform, caller)["degraded_reason"] == "newest release"


def test_why_is_said_to_who_may_read_metrics(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    reason = health_for(fresh_platform, Caller(["read:analytics"]))["degraded_reason"]
    assert "r-gen2" in reason
    assert "recommendations__gen2" in reason


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
