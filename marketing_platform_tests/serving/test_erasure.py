"""An erased user is shown by nobody from the moment it is asked for: not to others, not of past releases."""

from __future__ import annotations

import json
from collections.abc import Iterator

import orjson
import pytest
from fastapi.testclient import TestClient

from marketing_platform_tests.serving.conftest import Platform, await_until
from serving.masking import without

OF_THE_USER = [
    "/recommendations/u-2",
    "/recommendations/u-2?message=my card",
    "/recommendations/similar-users?user_id=u-2",
    "/api/v1/users/u-2/recommendations",
    "/api/v1/users/u-2/recommendations?kind=trending",
    "/api/v1/users/u-2/similar",
    "/api/v1/users/u-2/profile-graph",
    "/graph/user-campaigns?user_id=u-2",
    "/analytics/user-engagement?user_id=u-2",
]
OF_OTHERS = [
    "/recommendations/u-1",
    "/api/v1/users/u-1/recommendations",
    "/api/v1/users/u-1/recommendations?kind=campaign",
    "/recommendations/similar-users?user_id=u-1",
    "/api/v1/users/u-1/similar",
    "/analytics/user-engagement",
]


@pytest.fixture
def client(fresh_platform: Platform) -> Iterator[TestClient]:
    fresh_platform.publish(1)
    with fresh_platform.client(raise_server_exceptions=False) as opened:
        await_until(lambda: opened.get("/api/v1/health").json()["live_path"] == "ready")
        yield opened


def test_nobody_is_told_of_an_erased_user(client: TestClient, fresh_platform: Platform) -> None:
    before = {url: client.get(url) for url in [*OF_THE_USER, *OF_OTHERS]}
    assert [answer.status_code for answer in before.values()] == [200] * len(before)
    assert all("u-2" in before[url].text for url in OF_OTHERS)
    fresh_platform.publish(2)
    await_until(lambda: client.get("/api/v1/health").json()["release_id"] == "r-gen2")

    asked = client.delete("/api/v1/users/u-2")
    assert (asked.status_code, asked.json()["status"]) == (202, "masked")
    for pinned in ("", "release=r-gen1"):
        for url in OF_THE_USER:
            answer = client.get(f"{url}{'&' if '?' in url else '?'}{pinned}")
            assert (answer.status_code, answer.json()["error_code"]) == (404, "unknown_user"), url
        for url in OF_OTHERS:
            answer = client.get(f"{url}{'&' if '?' in url else '?'}{pinned}")
            assert (answer.status_code, "u-2" in answer.text) == (200, False), url
            assert answer.headers["ETag"] != before[url].headers["ETag"]
    batch = client.post("/api/v1/recommendations/batch", json={"user_ids": ["u-1", "u-2"]}).json()
    errors = [entry["error"] and entry["error"]["error_code"] for entry in batch["items"]]
    assert errors == [None, "unknown_user"]


def test_a_cause_stays_without_its_name(client: TestClient) -> None:
    client.delete("/api/v1/users/u-2")
    (item, *_) = client.get("/recommendations/u-1").json()["items"]
    assert [(part["user_id"], part["share"]) for part in item["contributions"]] == [(None, 1.0)]
    (ranked, *_) = client.get("/api/v1/users/u-1/recommendations?kind=campaign").json()["items"]
    (contribution,) = ranked["contributions"]
    assert [(cause["kind"], cause["id"], cause["share"]) for cause in contribution["causes"]] == [
        ("everyone", None, 0.75),
        ("user", None, 0.25),
    ]
    similar = client.get("/api/v1/users/u-1/similar").json()["items"]
    assert [one["user_id"] for one in similar] == ["u-3", "u-4", "u-5", "u-6"]


def test_a_graph_of_others_has_nothing_that_leads_to_an_erased_user() -> None:
    """What relates users is declared by others; whatever it is, it goes with them."""
    asked, other = {"user_id": "u-1", "name": "Ada"}, {"user_id": "u-2", "name": "Bob"}
    nodes = [
        {"id": "User:u-1", "kind": "User", "properties": asked},
        {"id": "User:u-2", "kind": "User", "properties": other},
        {"id": "Product:u-2", "kind": "Product", "properties": {"product_id": "u-2"}},
    ]
    edges = [
        {"kind": "ALIKE", "source": "User:u-1", "target": "User:u-2", "properties": {"score": 0.9}},
        {"kind": "PURCHASED", "source": "User:u-1", "target": "Product:u-2", "properties": {}},
    ]
    body = orjson.dumps({"user_id": "u-1", "nodes": nodes, "edges": edges, "truncated": []})
    left = json.loads(without(frozenset({"u-2"}), body))
    assert left == {"user_id": "u-1", "nodes": [nodes[0], nodes[2]], "edges": edges[1:], "truncated": []}
    assert without(frozenset({"u-3"}), body) is body


def test_another_process_masks_within_a_second(fresh_platform: Platform, client: TestClient) -> None:
    with fresh_platform.client() as other:
        other.delete("/api/v1/users/u-2")
        await_until(lambda: client.get(OF_THE_USER[0]).status_code == 404, seconds=1)


def test_the_proof_names_no_user_and_asking_twice_is_one_erasure(client: TestClient) -> None:
    first = client.delete("/api/v1/users/never%2Fseen").json()
    assert client.delete("/api/v1/users/never%2Fseen").json() == first
    proof = client.get(f"/api/v1/erasures/{first['erasure_id']}")
    assert proof.json() == first
    assert "never" not in proof.text
    unknown = client.get("/api/v1/erasures/e-1")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "unknown_erasure")
