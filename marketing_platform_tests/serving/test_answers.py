"""What the API answers from one small release."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from marketing_platform.recommenders.prepared import PRODUCT_LISTS
from marketing_platform_tests.serving.conftest import USERS, Platform, campaigns_of, products_of
from serving.releases import CAMPAIGNS, FEATURES


def test_every_answer_names_its_release_and_its_gate(client: TestClient) -> None:
    for url in (
        "/recommendations/similar-users?user_id=u-1",
        "/recommendations/u-1",
        "/api/v1/users/u-1/recommendations",
        "/api/v1/users/u-1/recommendations?kind=campaign",
        "/api/v1/users/u-1/recommendations?kind=trending",
        "/api/v1/users/u-1/similar",
        "/api/v1/users/u-1/features",
        "/recommendations/u-1?message=my card",
        "/graph/user-campaigns?user_id=u-1",
        "/api/v1/users/u-1/profile-graph",
        "/analytics/user-engagement",
        "/analytics/campaign-performance",
        "/analytics/daily-activity",
        "/api/v1/health",
    ):
        response = client.get(url)
        assert response.status_code == 200, response.text
        assert list(response.json())[:3] == ["release_id", "gate", "held_batches"]
        assert response.json()["release_id"] == response.headers["X-Release-Id"] == "r-gen1"
        assert response.json()["gate"] == "passed"


def test_similar_users_are_the_prepared_ones(client: TestClient) -> None:
    answer = client.get("/recommendations/similar-users", params={"user_id": "u-3"}).json()
    assert answer["user_id"] == "u-3"
    assert [item["user_id"] for item in answer["items"]] == [user for user in USERS if user != "u-3"]

    first = client.get("/recommendations/similar-users", params={"user_id": "u-3", "limit": 2}).json()
    assert first["items"] == answer["items"][:2]


def test_recommendations_are_the_prepared_ones(client: TestClient) -> None:
    answer = client.get("/recommendations/u-1").json()
    assert [item["campaign_id"] for item in answer["items"]] == campaigns_of(1)
    assert len(client.get("/recommendations/u-1", params={"limit": 1}).json()["items"]) == 1


def test_products_and_campaigns_of_a_user_are_the_prepared_ones(client: TestClient) -> None:
    url = "/api/v1/users/u-1/recommendations"
    answer = client.get(url).json()
    assert [item["product_id"] for item in answer["items"]] == products_of(1)
    assert client.get(url, params={"limit": 2}).json()["items"] == answer["items"][:2]
    campaigns = client.get(url, params={"kind": "campaign"}).json()
    # The last one has ended; here in another order than similar users have it.
    assert [item["campaign_id"] for item in campaigns["items"]] == campaigns_of(1)[-2::-1]
    assert campaigns["dropped"] == [{"item_id": campaigns_of(1)[-1], "rule": "exclude over"}]


@pytest.mark.parametrize("kind", ["product", "campaign"])
def test_without_explanations_an_item_keeps_its_reason_only(client: TestClient, kind: str) -> None:
    url = f"/api/v1/users/u-1/recommendations?kind={kind}"
    explained = client.get(url).json()["items"]
    brief = client.get(f"{url}&explain=false&limit=3").json()["items"]
    assert all(item["contributions"] and item["path"] for item in explained)
    assert brief == [{**item, "contributions": [], "path": []} for item in explained[:3]]


def test_recommendations_of_a_user_say_what_is_wrong_with_a_question(client: TestClient) -> None:
    unknown = client.get("/api/v1/users/nobody/recommendations")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "unknown_user")
    wrong = client.get("/api/v1/users/u-1/recommendations", params={"kind": "hat", "limit": 0})
    assert wrong.status_code == 422
    assert {problem["name"] for problem in wrong.json()["details"]["problems"]} == {"kind", "limit"}


@pytest.mark.parametrize(("since", "missing"), [(PRODUCT_LISTS, "product"), (CAMPAIGNS, "campaign")])
def test_a_release_older_than_recommendations_of_a_kind_serves_what_it_has(
    fresh_platform: Platform, since: str, missing: str
) -> None:
    made = fresh_platform.build(1)
    answers = {name: entry for name, entry in made.answers.items() if name != since}
    fresh_platform.shelf.publish(made.model_copy(update={"answers": answers}), expected=None)
    with fresh_platform.client() as client:
        url = "/api/v1/users/u-1/recommendations"
        found = {kind: client.get(url, params={"kind": kind}) for kind in ("product", "campaign")}
        refused = found.pop(missing)
        assert (refused.status_code, refused.json()["error_code"]) == (503, "not_ready")
        assert [answer.status_code for answer in found.values()] == [200]
        assert client.get("/recommendations/u-1").status_code == 200


def test_features_of_a_user_are_the_prepared_ones(client: TestClient) -> None:
    answer = client.get("/api/v1/users/u-1/features").json()
    assert answer["as_of"] == "2026-11-20T09:00:00Z"
    assert answer["features"] == {"generation": 1, "meaning": [0.6, -0.8]}
    assert client.get("/api/v1/users/u-2/features").json()["features"] == {"generation": 1, "meaning": None}


def test_a_release_older_than_features_serves_what_it_has(fresh_platform: Platform) -> None:
    made = fresh_platform.build(1)
    answers = {name: entry for name, entry in made.answers.items() if name != FEATURES}
    fresh_platform.shelf.publish(made.model_copy(update={"answers": answers}), expected=None)
    with fresh_platform.client() as client:
        assert client.get("/api/v1/users/u-1/recommendations").status_code == 200
        missing = client.get("/api/v1/users/u-1/features")
        assert (missing.status_code, missing.json()["error_code"]) == (503, "not_ready")


def test_nothing_is_sent_twice_while_the_release_stays(client: TestClient) -> None:
    first = client.get("/recommendations/u-1")
    again = client.get("/recommendations/u-1", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/recommendations/u-1", headers={"If-None-Match": '"r-old"'}).status_code == 200


def test_user_engagement_sorts_filters_and_pages(client: TestClient) -> None:
    url = "/analytics/user-engagement"
    everyone = client.get(url, params={"sort": "user_id", "order": "desc"}).json()
    assert [row["user_id"] for row in everyone["items"]] == sorted(USERS, reverse=True)
    assert everyone["next_offset"] is None

    found: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = client.get(url, params={"limit": 4, "offset": offset}).json()
        found += [row["user_id"] for row in page["items"]]
        offset = page["next_offset"]
    assert sorted(found) == USERS

    one = client.get(url, params={"user_id": "u-2"}).json()["items"]
    assert [(row["user_id"], row["events"], row["messages"], row["conversions"]) for row in one] == [
        ("u-2", 5, 1, 1)
    ]
    assert one[0]["first_at"] == "2026-11-20T14:00:00Z"


def test_campaign_performance_of_one_campaign(client: TestClient) -> None:
    campaign = campaigns_of(1)[0]
    rows = client.get("/analytics/campaign-performance", params={"campaign_id": campaign}).json()["items"]
    assert [row["campaign_id"] for row in rows] == [campaign]
    assert rows[0]["name"] == f"Campaign {campaign}"


def test_daily_activity_between_two_days(client: TestClient) -> None:
    url = "/analytics/daily-activity"
    days = client.get(url).json()["items"]
    assert [row["date"] for row in days] == sorted(row["date"] for row in days)
    assert sum(row["events"] for row in days) == 5 * len(USERS)

    second = client.get(url, params={"from": "2026-11-21", "to": "2026-11-21", "channel": "email"}).json()[
        "items"
    ]
    assert {(row["date"], row["channel"]) for row in second} == {("2026-11-21", "email")}


def test_health_says_how_fresh_the_release_is(client: TestClient) -> None:
    health = client.get("/api/v1/health").json()
    assert (health["status"], health["degraded_reason"], health["held_batches"]) == ("ok", None, 0)
    assert health["created_at"] == "2026-11-21T09:01:00Z"
    assert isinstance(health["age_seconds"], float)


def test_a_sane_request_id_is_kept_and_another_replaced(client: TestClient) -> None:
    assert (
        client.get("/recommendations/u-1", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"]
        == "abc-1"
    )
    for hostile in ("a b", "x" * 200, '"><script>', ""):
        given = client.get("/recommendations/u-1", headers={"X-Request-Id": hostile}).headers["X-Request-Id"]
        assert given != hostile
        assert len(given) == 32
