"""A message typed now: encoder, vectors, graph and rank, over really stored data."""

from __future__ import annotations

import threading

from fastapi.testclient import TestClient

from marketing_platform.encoders import Encoder
from marketing_platform_tests.serving.conftest import Platform, await_until, encoder
from serving.app import create_app


def test_who_wrote_alike_decides(client: TestClient) -> None:
    # u-3 and u-4 wrote about top-ups; u-4 is asked about, so u-3 must come first.
    answer = client.get("/recommendations/u-4", params={"message": "top up does not work"}).json()
    assert answer["strategy"] == "similar_messages"
    first = answer["items"][0]
    assert [step["label"] for step in first["path"]] == [
        "User",
        "SENT",
        "Message",
        "SIMILAR_TO",
        "Message",
        "SENT",
        "User",
        "PARTICIPATED_IN",
        "Campaign",
    ]
    assert first["path"][0]["id"] == "u-4"
    assert first["path"][-1]["id"] == first["campaign_id"]
    assert "u-3" in {part["user_id"] for part in first["contributions"]}
    for item in answer["items"]:
        assert "u-4" not in {part["user_id"] for part in item["contributions"]}


def test_it_tells_the_same_overall_engagement_as_the_figures(client: TestClient) -> None:
    items = client.get("/recommendations/u-1", params={"message": "my card"}).json()["items"]
    rows = client.get("/analytics/campaign-performance").json()["items"]
    overall = {row["campaign_id"]: row["engagement_score"] for row in rows}
    assert {item["campaign_id"]: item["engagement"] for item in items} == overall


def test_new_campaigns_come_first_and_the_limit_holds(client: TestClient) -> None:
    items = client.get("/recommendations/u-1", params={"message": "my card"}).json()["items"]
    assert [item["already_participated"] for item in items] == sorted(
        item["already_participated"] for item in items
    )
    one = client.get("/recommendations/u-1", params={"message": "my card", "limit": 1}).json()["items"]
    assert one == items[:1]


def test_a_message_without_a_word_is_refused(client: TestClient) -> None:
    response = client.get("/recommendations/u-1", params={"message": "\u0001\u0002"})
    assert response.status_code == 422
    assert response.json()["details"]["problems"][0]["name"] == "message"


def test_before_the_encoder_is_open_only_the_live_path_waits(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    may_open = threading.Event()

    def slow() -> Encoder:
        may_open.wait(20)
        return encoder()

    with fresh_platform.client(create_app(fresh_platform.settings, encoder=slow)) as client:
        try:
            early = client.get("/recommendations/u-1?message=hello")
            assert (early.status_code, early.json()["error_code"]) == (503, "not_ready")
            assert early.headers["Retry-After"] == "2"
            assert client.get("/recommendations/u-1").status_code == 200
            assert client.get("/api/v1/health").json()["live_path"] == "starting"
        finally:
            may_open.set()
        await_until(lambda: client.get("/recommendations/u-1?message=hello").status_code == 200)


def test_an_encoder_that_cannot_be_opened_degrades_but_serves(fresh_platform: Platform) -> None:
    def broken() -> Encoder:
        raise OSError("disk full at /somewhere")

    fresh_platform.publish(1)
    with fresh_platform.client(create_app(fresh_platform.settings, encoder=broken)) as client:
        await_until(lambda: client.get("/api/v1/health").json()["live_path"] == "failed")
        health = client.get("/api/v1/health").json()
        assert health["status"] == "degraded"
        assert "/somewhere" not in health["degraded_reason"]
        assert client.get("/recommendations/u-1").status_code == 200
        assert client.get("/recommendations/u-1?message=hello").json()["error_code"] == "not_ready"
