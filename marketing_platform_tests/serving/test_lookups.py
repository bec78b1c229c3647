"""Areas wait for their datastores in threads of their own, and never longer than a request may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.protocols import GraphReader, Graphs
from marketing_platform_tests.serving.conftest import Platform, await_until, encoder
from serving import lookups
from serving.app import create_app

_SECONDS = 0.5
_GRAPH = "/graph/user-campaigns?user_id=u-1"


class Gate:
    """A graph store in front of the real one: `open` lets questions through, `gone` refuses them."""

    def __init__(self, graphs: Graphs) -> None:
        self.way = threading.Event()
        self.way.set()
        self.gone = False
        self.closed = 0
        self.asked = 0
        self._graphs = graphs

    def open(self, name: str) -> GraphReader:
        self._reader = self._graphs.open(name)
        return self

    def run(self, query: str, parameters: Any) -> list[dict[str, Any]]:
        self.asked += 1
        self.way.wait(20)
        if self.gone:
            raise StoreUnavailable("the graph is gone; start it")
        return self._reader.run(query, parameters)

    def close(self) -> None:
        self.closed += 1
        self._reader.close()


@pytest.fixture
def gate(fresh_platform: Platform) -> Gate:
    fresh_platform.publish(1)
    return Gate(fresh_platform.stores.graphs)


@pytest.fixture
def client(fresh_platform: Platform, gate: Gate) -> Iterator[TestClient]:
    settings = fresh_platform.settings.model_copy(update={"api_seconds": _SECONDS})
    stores = replace(fresh_platform.stores, graphs=gate)  # type: ignore[arg-type]
    app = create_app(settings, stores=stores, encoder=encoder, poll_seconds=0.02)
    with fresh_platform.client(app) as opened:
        await_until(lambda: opened.get("/api/v1/health").json()["live_path"] == "ready")
        yield opened
        gate.way.set()


@pytest.mark.slow
def test_fifty_that_wait_hold_up_nobody_else(client: TestClient, gate: Gate) -> None:
    gate.way.clear()
    with ThreadPoolExecutor(50) as others:
        began = time.monotonic()
        waiting = [others.submit(client.get, _GRAPH) for _ in range(50)]
        for path in ("/api/v1/health", "/recommendations/u-1", "/analytics/daily-activity"):
            assert client.get(path).status_code == 200
        for answer in (asked.result() for asked in waiting):
            assert (answer.status_code, answer.json()["error_code"]) == (503, "store_unavailable")
            assert answer.headers["Retry-After"] == "2"
        assert time.monotonic() - began < _SECONDS + 3
    gate.way.set()
    await_until(lambda: client.get(_GRAPH).status_code == 200)


def test_health_tells_until_an_answer_comes_again(client: TestClient, gate: Gate) -> None:
    gate.gone = True
    assert client.get(_GRAPH).status_code == 503
    health = client.get("/api/v1/health").json()
    assert (health["status"], health["degraded_reason"]) == ("degraded", "graph: the graph is gone; start it")
    gate.gone = False
    assert client.get(_GRAPH).status_code == 200
    assert client.get("/api/v1/health").json()["status"] == "ok"


def test_a_release_stays_open_for_a_question_that_nobody_waits_for_any_more(
    client: TestClient, gate: Gate, fresh_platform: Platform
) -> None:
    gate.way.clear()
    assert client.get(_GRAPH).status_code == 503
    fresh_platform.publish(2)
    await_until(lambda: client.get("/api/v1/health").json()["release_id"] == "r-gen2")
    time.sleep(0.1)
    assert gate.closed == 0
    gate.way.set()
    await_until(lambda: gate.closed == 1)


def test_what_failed_again_and_again_is_left_alone_and_tried_again(
    client: TestClient, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def circuit() -> str:
        return client.get("/api/v1/health").json()["circuits"]["graph"]

    monkeypatch.setattr(lookups, "_PAUSE_SECONDS", 1.0)
    gate.gone = True
    for _ in range(20):
        answer = client.get(_GRAPH)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "store_unavailable")
        assert answer.headers["Retry-After"] == "2"
    assert gate.asked == 5
    assert circuit() == "open"
    assert client.get("/analytics/daily-activity").status_code == 200  # another area
    await_until(lambda: circuit() == "half-open")
    assert client.get(_GRAPH).status_code == 503
    assert (gate.asked, circuit()) == (6, "open")
    gate.gone = False
    # That there is no such user is an answer, too.
    await_until(lambda: client.get("/graph/user-campaigns?user_id=nobody").status_code == 404)
    assert circuit() == "closed"


def test_answers_that_there_is_nothing_are_no_failures(client: TestClient) -> None:
    for _ in range(10):
        assert client.get("/graph/user-campaigns?user_id=nobody").status_code == 404
    assert client.get("/api/v1/health").json()["circuits"]["graph"] == "closed"
