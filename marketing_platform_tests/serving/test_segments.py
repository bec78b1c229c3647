"""`/api/v1/segments`: what the release says of them; what criteria mean: tests/content/segments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from marketing_platform.releases.records import open_records
from marketing_platform_tests.serving.conftest import USERS, Platform

URL = "/api/v1/segments"


def tried(client: TestClient, who: Any, **more: Any) -> Any:
    return client.post(f"{URL}/preview", json={"who": who, **more})


def test_every_declared_segment_is_told_with_its_counts(client: TestClient) -> None:
    answer = client.get(URL)
    assert answer.json()["items"] == [
        {"segment": "empty", "description": "Nobody.", "users": 0, "consenting": 0},
        {"segment": "first_two", "description": "Two users.", "users": 2, "consenting": 1},
    ]
    assert answer.json()["release_id"] == "r-gen1"
    assert client.get(URL, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_users_come_in_pages(client: TestClient) -> None:
    page = client.get(f"{URL}/first_two/users", params={"limit": 1}).json()
    assert page["segment"] == "first_two"
    assert page["items"] == [{"user_id": USERS[0]}]
    rest = client.get(f"{URL}/first_two/users", params={"limit": 1, "offset": page["next_offset"]}).json()
    assert rest["items"] == [{"user_id": USERS[1]}]
    assert rest["next_offset"] is None
    assert client.get(f"{URL}/empty/users").json()["items"] == []


def test_an_unknown_segment_is_none(client: TestClient) -> None:
    answer = client.get(f"{URL}/nope/users")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "unknown_segment")


def test_criteria_can_be_tried(client: TestClient) -> None:
    who = {"interest": {"interest": "Cards"}, "engagement": {"last_at": {"at_least": "2026-01-01"}}}
    answer = tried(client, who, sample=1).json()
    assert (answer["users"], answer["consenting"], answer["items"]) == (2, 1, [{"user_id": USERS[0]}])
    assert tried(client, {"none": [who]}, sample=0).json()["users"] == len(USERS) - 2
    assert tried(client, {"features": {"generation": 9}}).status_code == 422  # of other declarations


@pytest.mark.parametrize(
    ("who", "name", "problem"),
    [
        ({}, "who", "at least one of all, any, none, user"),
        ({"usr": {}}, "who.…", "Extra inputs"),
        ({"user": {"secret name": 1}}, "who.user.…", "expected one of user_id, country"),
        ({"user": {"email": "ada@example.com"}}, "who.user.…", "expected one of user_id, country"),
        ({"user": {"country": 7}}, "who.user.country", "expected text for country"),
        ({"any": [{"user": {"signed_up_on": "soon"}}]}, "who.any.0.user.signed_up_on", "expected a date"),
        ({"features": {"orders": {"at_least": 1e300}}}, "who.features.orders", "expected a number up to"),
        ({"bought": {"days": 10**30}}, "who.bought.days", "less than or equal"),
        ({"user": {"country": ["n"] * 1_001}}, "who.user.country", "expected at most 1000 values"),
        ({"user": []}, "who.user", "valid dictionary"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_named_and_not_repeated(
    client: TestClient, who: Any, name: str, problem: str
) -> None:
    answer = tried(client, who)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "invalid_parameter")
    (found, *_) = answer.json()["details"]["problems"]
    assert found["in"] == "body"
    assert found["name"] == name
    assert problem in found["problem"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "value", [0, 1e-300, 1.23456789012345, 10**12, -5], ids=["zero", "tiny", "long", "large", "negative"]
)
@pytest.mark.parametrize("feature", ["spend", "orders", "mean_satisfaction"])
def test_any_number_can_be_compared_with(client: TestClient, feature: str, value: float) -> None:
    who = {"features": {feature: {"is": value, "at_least": value, "at_most": 10**12, "not": value}}}
    assert tried(client, who).json()["users"] == 0


def test_a_preview_has_bounds(client: TestClient) -> None:
    assert tried(client, {"bought": {}}, sample=101).status_code == 422
    deep: Any = {"bought": {}}
    for _ in range(9):
        deep = {"all": [deep]}
    assert "groups at most 8 deep" in tried(client, deep).json()["details"]["problems"][0]["problem"]


def test_a_release_older_than_segments_is_not_ready(fresh_platform: Platform) -> None:
    manifest = fresh_platform.build(1)
    tables = {name: entry for name, entry in manifest.tables.items() if not name.startswith("user_features")}
    older = manifest.model_copy(
        update={
            "reports": {name: entry for name, entry in manifest.reports.items() if name != "segments"},
            "tables": tables,
        }
    )
    fresh_platform.shelf.publish(older, expected=None)
    with fresh_platform.client() as client:
        answers = [client.get(URL), client.get(f"{URL}/first_two/users"), tried(client, {"bought": {}})]
    assert {(answer.status_code, answer.json()["error_code"]) for answer in answers} == {(503, "not_ready")}


def test_who_is_to_be_forgotten_is_in_no_list(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    now = datetime.now(UTC)
    open_records(fresh_platform.settings).erasures.ask(USERS[0], who="test", now=now)
    with fresh_platform.client() as client:
        listed = client.get(f"{URL}/first_two/users").json()
        sample = tried(client, {"interest": {"interest": "Cards"}}).json()
    assert listed["items"] == sample["items"] == [{"user_id": USERS[1]}]
