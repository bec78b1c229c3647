"""`release=` gives what a release answered, byte for byte, as long as it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from marketing_platform_tests.serving.conftest import Platform, await_until, products_of

READS = [
    "/recommendations/u-1",
    "/recommendations/similar-users?user_id=u-1",
    "/api/v1/users/u-1/recommendations?kind=product&limit=2",
    "/api/v1/users/u-1/recommendations?kind=trending",
    "/api/v1/users/u-1/similar",
    "/graph/user-campaigns?user_id=u-1",
    "/analytics/user-engagement",
    "/analytics/campaign-performance",
    "/analytics/daily-activity",
    "/api/v1/kpis?kpi=clicks&by=campaign",
]
# What is asked with a body, which the address does not tell.
ASKS = {
    "/api/v1/recommendations/batch": {"user_ids": ["u-1", "nobody"]},
    "/api/v1/questions": {"question": "clicks by campaign"},
}


@pytest.fixture
def client(fresh_platform: Platform) -> Iterator[TestClient]:
    fresh_platform.publish(1)
    with fresh_platform.client(raise_server_exceptions=False) as opened:
        yield opened


def of(url: str, generation: int) -> str:
    return f"{url}{'&' if '?' in url else '?'}release=r-gen{generation}"


def publish(platform: Platform, client: TestClient, generation: int) -> None:
    platform.publish(generation)
    await_until(lambda: client.get("/api/v1/health").json()["release_id"] == f"r-gen{generation}")


def test_a_past_answer_is_the_same_byte_for_byte(client: TestClient, fresh_platform: Platform) -> None:
    before = {url: client.get(url) for url in READS}
    said = {url: client.post(url, json=body) for url, body in ASKS.items()}
    publish(fresh_platform, client, 2)
    for url, answer in before.items():
        assert client.get(url).content != answer.content
        past = client.get(of(url, 1))
        assert past.content == answer.content
        assert past.headers["X-Release-Id"] == "r-gen1"
        assert past.headers["ETag"] == answer.headers["ETag"]
    for url, answer in said.items():
        assert client.post(url, json=ASKS[url]).content != answer.content
        again = client.post(of(url, 1), json=ASKS[url])
        assert (again.content, "ETag" in again.headers) == (answer.content, False)


def test_what_was_suppressed_since_is_in_it(client: TestClient, fresh_platform: Platform) -> None:
    url = "/api/v1/users/u-1/recommendations"
    first = products_of(1)[0]
    before = client.get(url)
    client.post("/api/v1/suppressions", json={"reason": "hidden", "kind": "product", "item_id": first})
    assert first not in client.get(url).text.partition('"items"')[2]
    assert client.get(of(url, 1)).content == before.content, "also while the release serves"
    publish(fresh_platform, client, 2)
    assert client.get(of(url, 1)).content == before.content


def test_a_release_that_is_not_kept_is_unknown(client: TestClient) -> None:
    for release in ("r-never", "../releases", "x" * 200, "r gen1"):
        for url in (READS[0], "/api/v1/users/u-1/recommendations", "/analytics/daily-activity"):
            answer = client.get(url, params={"release": release})
            assert (answer.status_code, answer.json()["error_code"]) == (404, "unknown_release")


def test_a_collected_release_is_gone_also_when_it_was_open(
    client: TestClient, fresh_platform: Platform
) -> None:
    publish(fresh_platform, client, 2)
    url = of(READS[0], 1)
    assert client.get(url).status_code == 200
    fresh_platform.shelf.remove("r-gen1")
    await_until(lambda: client.get(url).status_code == 404, seconds=2)
    assert client.get(url).json()["error_code"] == "unknown_release"


@pytest.mark.slow
def test_more_past_releases_than_stay_open_are_asked_at_once(
    client: TestClient, fresh_platform: Platform
) -> None:
    for generation in range(2, 7):
        fresh_platform.publish(generation)
    await_until(lambda: client.get("/api/v1/health").json()["release_id"] == "r-gen6")
    asked = [1, 2, 3, 4, 5, 6] * 10
    with ThreadPoolExecutor(12) as others:
        found = list(others.map(lambda generation: client.get(of(READS[0], generation)), asked))
    assert [answer.status_code for answer in found] == [200] * len(asked)
    assert [answer.json()["release_id"] for answer in found] == [f"r-gen{generation}" for generation in asked]
