"""Each request is answered from exactly one release, whatever happens to the pointer meanwhile."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from marketing_platform_tests.serving.conftest import Platform, Response, await_until

ROUTES = (
    "/recommendations/similar-users?user_id=u-1",
    "/recommendations/u-2",
    "/recommendations/u-2?message=my card is lost",
    "/graph/user-campaigns?user_id=u-3",
    "/analytics/user-engagement?user_id=u-4",
    "/analytics/campaign-performance",
    "/analytics/daily-activity",
)
EVENTS_PER_USER = {f"r-gen{generation}": 4 + generation for generation in range(1, 4)}


def assert_one_release(response: Response) -> str:
    """Everything in the answer belongs to the release it names; returns that."""
    assert response.status_code == 200, response.text
    answer = response.json()
    release_id: str = answer["release_id"]
    generation = release_id.removeprefix("r-")
    assert response.headers["X-Release-Id"] == release_id
    for other in {"gen1", "gen2", "gen3"} - {generation}:
        assert other not in response.text
    path = str(response.url.path)
    if path == "/analytics/user-engagement":
        assert answer["items"][0]["events"] == EVENTS_PER_USER[release_id]
    elif path == "/analytics/daily-activity":
        assert sum(row["events"] for row in answer["items"]) == 6 * EVENTS_PER_USER[release_id]
    else:
        assert f"-{generation}" in response.text.replace(release_id, "")
    return release_id


def release_of(client: TestClient) -> str:
    return client.get("/api/v1/health").json()["release_id"]


@pytest.mark.slow
def test_swaps_under_load_drop_and_mix_nothing(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    later = [fresh_platform.build(generation) for generation in (2, 3)]
    with fresh_platform.client() as client:
        await_until(lambda: client.get("/api/v1/health").json()["live_path"] == "ready")
        done = threading.Event()

        def ask(worker: int) -> list[str]:
            seen = []
            while not done.is_set():
                seen.append(assert_one_release(client.get(ROUTES[(worker + len(seen)) % len(ROUTES)])))
            return seen

        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(ask, worker) for worker in range(4)]
            try:
                for manifest in later:
                    fresh_platform.shelf.publish(manifest, expected=fresh_platform.shelf.current())
                    await_until(lambda manifest=manifest: release_of(client) == manifest.release_id)
                fresh_platform.shelf.move("r-gen1", expected="r-gen3", why="test", who="test")
                await_until(lambda: release_of(client) == "r-gen1")
            finally:
                done.set()
            seen = [release for worker in workers for release in worker.result()]
    assert set(seen) >= {"r-gen1", "r-gen2", "r-gen3"}


def test_the_last_good_release_stays_when_a_newer_one_is_broken(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    broken = fresh_platform.build(2)
    name = broken.answers["recommendations"].name
    fresh_platform.stores.answers.drop(name)
    with fresh_platform.client() as client:
        fresh_platform.shelf.publish(broken, expected="r-gen1")
        await_until(lambda: client.get("/api/v1/health").json()["status"] == "degraded")
        health = client.get("/api/v1/health").json()
        assert health["release_id"] == "r-gen1"
        assert "r-gen2" in health["degraded_reason"]
        assert name in health["degraded_reason"]
        for route in ROUTES[:2]:
            assert assert_one_release(client.get(route)) == "r-gen1"

        fresh_platform.publish(3)
        await_until(lambda: release_of(client) == "r-gen3")
        assert client.get("/api/v1/health").json()["status"] == "ok"


def test_a_release_that_did_not_pass_its_gates_is_never_served(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    with fresh_platform.client() as client:
        fresh_platform.publish(2, passed=False)
        await_until(lambda: client.get("/api/v1/health").json()["status"] == "degraded")
        health = client.get("/api/v1/health").json()
        assert health["release_id"] == "r-gen1"
        assert "failed events:rules" in health["degraded_reason"]


def test_an_unreadable_pointer_keeps_what_is_open(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    pointer = fresh_platform.settings.data_dir / "releases" / "current.json"
    with fresh_platform.client() as client:
        content = pointer.read_bytes()
        pointer.write_bytes(b"{")
        await_until(lambda: client.get("/api/v1/health").json()["status"] == "degraded")
        assert_one_release(client.get(ROUTES[0]))
        pointer.write_bytes(content)
        await_until(lambda: client.get("/api/v1/health").json()["status"] == "ok")


def test_the_first_release_is_found_while_running(fresh_platform: Platform) -> None:
    with fresh_platform.client() as client:
        assert client.get("/recommendations/u-2").status_code == 503
        fresh_platform.publish(1)
        await_until(lambda: client.get("/recommendations/u-2").status_code == 200)


def test_nothing_at_all_of_a_release_still_says_why(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    shutil.rmtree(fresh_platform.settings.data_dir / "warehouse")
    with fresh_platform.client() as client:
        response = client.get("/api/v1/health")
    assert response.status_code == 503
    assert "user_engagement" in response.json()["details"]["reason"]
