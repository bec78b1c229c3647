"""What is looked at when an answer leaves: suppressions and ends of this minute, and what is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from marketing_platform.releases.overrides import Wish
from marketing_platform.releases.records import open_records
from marketing_platform_tests.serving.conftest import (
    Platform,
    await_until,
    campaigns_of,
    products_of,
    spares_of,
)

pytestmark = pytest.mark.slow

URL = "/api/v1/users/u-1/recommendations"
FIRST, SECOND, THIRD, FOURTH = products_of(1)
SPARE, LAST = spares_of(1)


@pytest.fixture(scope="module")
def released(platform: Platform) -> Platform:
    platform.publish(1)
    return platform


@pytest.fixture
def client(released: Platform) -> Iterator[TestClient]:
    """One release, and nothing suppressed yet."""
    for kept in released.settings.data_dir.glob("overrides.sqlite*"):
        kept.unlink()
    with released.client(raise_server_exceptions=False) as opened:
        yield opened


def suppress(client: TestClient, **question: Any) -> str:
    answer = client.post("/api/v1/suppressions", json=question)
    assert answer.status_code == 201, answer.text
    return answer.json()["suppression_id"]


def shown(client: TestClient, user: str = "u-1", **asked: Any) -> list[str]:
    answer = client.get(f"/api/v1/users/{user}/recommendations", params=asked)
    assert answer.status_code == 200, answer.text
    return [item.get("product_id") or item["campaign_id"] for item in answer.json()["items"]]


def test_what_stands_behind_moves_up_and_the_answer_says_why(client: TestClient) -> None:
    before = client.get(URL)
    hidden = suppress(client, reason="hidden", kind="product", item_id=SECOND)
    answer = client.get(URL).json()
    assert [item["product_id"] for item in answer["items"]] == [FIRST, THIRD, FOURTH, SPARE]
    assert answer["dropped"] == [{"item_id": SECOND, "rule": "exclude taken out by hand"}]

    assert client.delete(f"/api/v1/suppressions/{hidden}").status_code == 200
    after = client.get(URL)
    assert after.content == before.content
    assert after.headers["ETag"] == before.headers["ETag"]


def test_a_limit_counts_what_leaves(client: TestClient) -> None:
    suppress(client, reason="out_of_stock", kind="product", item_id=FIRST)
    assert shown(client, limit=2) == [SECOND, THIRD]
    assert shown(client, limit=200) == [SECOND, THIRD, FOURTH, SPARE, LAST]


@pytest.mark.parametrize("kind", ["product", "trending", "cross_category", "content"])
def test_every_list_of_products_heeds_it(client: TestClient, kind: str) -> None:
    assert shown(client, kind=kind) == products_of(1)
    suppress(client, reason="hidden", kind="product", item_id=FIRST)
    suppress(client, reason="hidden", kind="campaign", item_id=SECOND)
    assert shown(client, kind=kind) == [SECOND, THIRD, FOURTH, SPARE]


def test_campaigns_are_suppressed_wherever_they_are_listed(client: TestClient) -> None:
    first = campaigns_of(1)[0]
    suppress(client, reason="ended", kind="campaign", item_id=first)
    assert first not in shown(client, kind="campaign")
    alike = client.get("/recommendations/u-1").json()
    assert first not in [item["campaign_id"] for item in alike["items"]]
    assert alike["dropped"] == [{"item_id": first, "rule": "exclude over"}]


def test_a_message_typed_now_heeds_it_too(client: TestClient) -> None:
    await_until(lambda: client.get("/api/v1/health").json()["live_path"] == "ready")
    asked = {"message": "my card is lost", "limit": 1}
    (best,) = client.get("/recommendations/u-1", params=asked).json()["items"]
    suppress(client, reason="hidden", kind="campaign", item_id=best["campaign_id"])
    answer = client.get("/recommendations/u-1", params=asked).json()
    assert [item["campaign_id"] for item in answer["items"]] not in ([], [best["campaign_id"]])
    assert [one["item_id"] for one in answer["dropped"]] == [best["campaign_id"]]


def test_who_opted_out_gets_nothing_and_others_everything(client: TestClient) -> None:
    suppress(client, reason="opted_out", user_id="u-1")
    assert shown(client) == shown(client, kind="trending") == shown(client, kind="campaign") == []
    assert shown(client, "u-2") == products_of(1)


def test_a_block_is_of_one_user(client: TestClient) -> None:
    suppress(client, reason="blocked", kind="product", item_id=FIRST, user_id="u-1")
    assert FIRST not in shown(client)
    assert FIRST in shown(client, "u-2")


def test_only_answers_that_change_get_another_etag(client: TestClient) -> None:
    first, other = (client.get(f"/api/v1/users/{user}/recommendations") for user in ("u-1", "u-2"))
    suppress(client, reason="blocked", kind="product", item_id=FIRST, user_id="u-1")
    known = {"If-None-Match": first.headers["ETag"]}
    changed = client.get(URL, headers=known)
    assert changed.status_code == 200
    again = client.get(URL, headers={"If-None-Match": changed.headers["ETag"]})
    assert again.status_code == 304
    unchanged = client.get(
        "/api/v1/users/u-2/recommendations", headers={"If-None-Match": other.headers["ETag"]}
    )
    assert unchanged.status_code == 304


def test_another_process_heeds_it_within_a_second(released: Platform, client: TestClient) -> None:
    with released.client() as other:
        hidden = suppress(other, reason="hidden", kind="product", item_id=FIRST)
        await_until(lambda: FIRST not in shown(client), seconds=1)
        other.delete(f"/api/v1/suppressions/{hidden}")
        await_until(lambda: FIRST in shown(client), seconds=1)


def test_a_suppression_ends_at_its_time(client: TestClient) -> None:
    until = datetime.now(UTC) + timedelta(seconds=2)
    suppress(client, reason="hidden", kind="product", item_id=FIRST, until=until.isoformat())
    assert FIRST not in shown(client)
    await_until(lambda: FIRST in shown(client), seconds=6)
    assert client.get("/api/v1/suppressions").json()["items"] == []


def test_a_restart_forgets_nothing(client: TestClient, released: Platform) -> None:
    overrides = open_records(released.settings).overrides
    overrides.suppress(Wish("hidden", kind="product", item_id=FIRST), who="ana", now=datetime.now(UTC))
    with released.client() as restarted:
        assert FIRST not in shown(restarted)


def test_a_category_is_of_all_that_was_prepared(client: TestClient) -> None:
    assert shown(client, category="Tents") == [FIRST, THIRD, LAST]
    assert shown(client, category="Tents", limit=1) == [FIRST]
    assert shown(client, category="Hats") == []


def test_trending_is_the_same_list_without_what_is_not_for_a_user(client: TestClient) -> None:
    answer = client.get("/api/v1/users/u-2/recommendations", params={"kind": "trending"}).json()
    assert answer["user_id"] == "u-2"
    assert [item["product_id"] for item in answer["items"]] == [FIRST, THIRD, FOURTH, SPARE]
    assert [item["already_bought"] for item in answer["items"]] == [True, False, False, False]
    unknown = client.get("/api/v1/users/nobody/recommendations", params={"kind": "trending"})
    assert unknown.status_code == 404


def test_a_batch_answers_each_user_as_if_asked_alone(client: TestClient) -> None:
    suppress(client, reason="blocked", kind="product", item_id=FIRST, user_id="u-1")
    question = {"user_ids": ["u-2", "nobody", "u-1", "u-2"], "limit": 2, "explain": False}
    answer = client.post("/api/v1/recommendations/batch", json=question).json()
    assert answer["release_id"] == "r-gen1"
    assert [entry["user_id"] for entry in answer["items"]] == question["user_ids"]
    for entry in answer["items"]:
        asked = {"limit": 2, "explain": False}
        alone = client.get(f"/api/v1/users/{entry['user_id']}/recommendations", params=asked).json()
        if entry["error"]:
            assert entry["answer"] is None
            assert entry["error"] == {name: alone[name] for name in ("error_code", "message")}
        else:
            assert entry["answer"].items() <= alone.items()
    assert [bool(entry["error"]) for entry in answer["items"]] == [False, True, False, False]


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ({"user_ids": []}, "user_ids"),
        ({"user_ids": ["u"] * 101}, "user_ids"),
        ({"user_ids": ["u"], "kind": "hat"}, "kind"),
        ({"user_ids": ["u"], "hat": 1}, "…"),  # what was sent is not repeated
    ],
)
def test_a_batch_that_cannot_be_answered_is_refused(
    client: TestClient, question: dict[str, Any], named: str
) -> None:
    answer = client.post("/api/v1/recommendations/batch", json=question)
    assert answer.status_code == 422
    assert named in [problem["name"] for problem in answer.json()["details"]["problems"]]


def test_suppressions_are_granted_once_listed_and_lifted(client: TestClient) -> None:
    question = {"reason": "hidden", "kind": "product", "item_id": FIRST, "why": "recalled"}
    made = client.post("/api/v1/suppressions", json=question)
    again = client.post("/api/v1/suppressions", json=question)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    suppress(client, reason="opted_out", user_id="u-3")

    page = client.get("/api/v1/suppressions", params={"limit": 1}).json()
    assert (page["items"], page["next_offset"]) == ([made.json()], 1)
    rest = client.get("/api/v1/suppressions", params={"limit": 1, "offset": 1}).json()
    assert ([one["user_id"] for one in rest["items"]], rest["next_offset"]) == (["u-3"], None)

    lifted = client.delete(f"/api/v1/suppressions/{made.json()['suppression_id']}")
    assert lifted.json()["lifted_at"] is not None
    unknown = client.delete("/api/v1/suppressions/s-1")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "unknown_suppression")


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"reason": "whim"},
        {"reason": "hidden", "item_id": "p"},
        {"reason": "opted_out"},
        {"reason": "opted_out", "user_id": "u", "kind": "product"},
        {"reason": "blocked", "kind": "product", "item_id": "p"},
        {"reason": "hidden", "kind": "product", "item_id": "p", "until": "2026-11-21T06:30:12"},
    ],
)
def test_a_suppression_that_means_nothing_is_refused(client: TestClient, question: dict[str, Any]) -> None:
    answer = client.post("/api/v1/suppressions", json=question)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "invalid_parameter")
    assert client.get("/api/v1/suppressions").json()["items"] == []


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/api/v1/recommendations/batch", {"user_ids": ["a\x00"]}),
        (
            "/api/v1/suppressions",
            {"reason": "hidden", "kind": "product", "item_id": "p", "why": "\x00"},
        ),
    ],
    ids=["batch", "suppression"],
)
def test_a_nul_makes_it_no_body_at_all(client: TestClient, url: str, body: dict[str, Any]) -> None:
    answer = client.post(url, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "malformed_json")


def test_nothing_is_served_before_suppressions_were_read(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    overrides = fresh_platform.settings.data_dir / "overrides.sqlite"
    overrides.mkdir()  # cannot be opened
    with fresh_platform.client(raise_server_exceptions=False) as client:
        refused = client.get(URL)
        assert (refused.status_code, refused.json()["error_code"]) == (503, "store_unavailable")
        assert (
            "suppressions and erasures cannot be read"
            in client.get("/api/v1/health").json()["degraded_reason"]
        )
        past = client.get(URL, params={"release": "r-gen1"})
        assert past.status_code == 503, "who was erased is not known either"
        overrides.rmdir()
        await_until(lambda: client.get(URL).status_code == 200, seconds=10)
        assert client.get("/api/v1/health").json()["degraded_reason"] is None
