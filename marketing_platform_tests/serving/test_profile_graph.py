"""`GET /api/v1/users/{user_id}/profile-graph`; what a graph is made of: tests/graph/test_profile.py."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from marketing_platform_tests.serving.conftest import Platform, campaigns_of

URL = "/api/v1/users/u-1/profile-graph"


def test_it_is_the_graph_of_the_release_around_the_user(client: TestClient) -> None:
    answer = client.get(URL).json()
    assert answer["user_id"] == "u-1"
    user, *others = answer["nodes"]
    assert user == {
        "id": "User:u-1",
        "kind": "User",
        "properties": {"user_id": "u-1", "name": None, "country": None},
    }
    assert {node["id"] for node in others} == {
        *(f"Campaign:{campaign}" for campaign in campaigns_of(1)),
        "Interest:Cards",
        "User:u-2",
    }
    assert {(edge["kind"], edge["source"]) for edge in answer["edges"]} == {
        ("PARTICIPATED_IN", "User:u-1"),
        ("TARGETED_BY", "User:u-1"),
        ("INTERESTED_IN", "User:u-1"),
        ("SIMILAR_TO", "User:u-1"),
    }
    of_kind = {edge["kind"]: edge["properties"] for edge in answer["edges"]}
    assert of_kind["INTERESTED_IN"] == {
        "strength": 0.5,
        "source": "messages",
        "confidence": pytest.approx(2 / 3),
    }
    assert of_kind["SIMILAR_TO"] == {"score": 0.9, "rank": 1, "common_interests": 1}
    best, *_ = (edge for edge in answer["edges"] if edge["kind"] == "PARTICIPATED_IN")
    (same, *_) = client.get("/graph/user-campaigns?user_id=u-1").json()["items"]
    assert best["target"] == f"Campaign:{same['campaign_id']}"
    assert best["properties"] == {name: same[name] for name in best["properties"]}
    assert answer["truncated"] == []


def test_it_is_as_large_as_one_wants(client: TestClient) -> None:
    answer = client.get(URL, params={"limit": 1}).json()
    kinds = [edge["kind"] for edge in answer["edges"]]
    assert len(kinds) == len(set(kinds))
    assert "PARTICIPATED_IN" in answer["truncated"]


@pytest.mark.parametrize(("name", "value"), [("limit", 0), ("limit", 201), ("depth", 0), ("depth", 4)])
def test_it_has_bounds(client: TestClient, name: str, value: int) -> None:
    answer = client.get(URL, params={name: value})
    assert answer.status_code == 422
    assert [problem["name"] for problem in answer.json()["details"]["problems"]] == [name]


def test_an_unknown_user_has_none(client: TestClient) -> None:
    answer = client.get("/api/v1/users/nobody/profile-graph")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "unknown_user")


def test_the_past_is_answered_as_it_was(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    with fresh_platform.client() as client:
        before = client.get(URL)
        assert client.get(URL, headers={"If-None-Match": before.headers["ETag"]}).status_code == 304
    fresh_platform.publish(2)
    with fresh_platform.client() as client:
        assert client.get(URL).json()["release_id"] == "r-gen2"
        assert client.get(URL, params={"release": "r-gen1"}).content == before.content
