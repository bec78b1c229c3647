"""What is answered below the framework is what the route answers, to the byte and to the header."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from fastapi.testclient import TestClient

from marketing_platform_tests.serving.conftest import Logged, Platform, Response, await_until, products_of
from serving.recommendations.direct import DirectAnswers
from serving.recommendations.service import Kind

URL = "/api/v1/users/{}/recommendations"
_OF_EACH_REQUEST = {"x-request-id", "ratelimit", "date"}


@pytest.fixture
def client(fresh_platform: Platform) -> Iterator[TestClient]:
    fresh_platform.publish(1)
    with fresh_platform.client(raise_server_exceptions=False) as opened:
        await_until(lambda: opened.get("/api/v1/health").json()["live_path"] == "ready")
        yield opened


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of requests that went on to the framework."""
    seen: list[str] = []
    answer = DirectAnswers._answer

    async def watched(self: DirectAnswers, scope: dict) -> object:
        found = await answer(self, scope)
        if found is None:
            seen.append(scope["path"])
        return found

    monkeypatch.setattr(DirectAnswers, "_answer", watched)
    return seen


def told(answer: Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name not in _OF_EACH_REQUEST}
    return answer.status_code, headers, answer.content


def same(client: TestClient, user: str, kind: str, **headers: str) -> Response:
    """Ask both ways: a parameter that changes nothing leads to the route."""
    direct = client.get(URL.format(user), params={"kind": kind}, headers=headers)
    route = client.get(URL.format(user), params={"kind": kind, "explain": "true"}, headers=headers)
    assert told(direct) == told(route)
    return direct


@pytest.mark.parametrize("kind", get_args(Kind))
def test_answers_are_the_route_s(client: TestClient, handed_over: list[str], kind: str) -> None:
    answer = same(client, "u-1", kind)
    assert answer.status_code == 200
    assert len(handed_over) == 1, "only the question with a parameter more"
    known = same(client, "u-1", kind, **{"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_without_any_parameter_it_is_about_products(client: TestClient) -> None:
    plain = client.get(URL.format("u-1"))
    assert plain.content == same(client, "u-1", "product").content


def test_what_was_hidden_just_now_is_hidden_in_both(client: TestClient) -> None:
    before = same(client, "u-1", "product")
    hidden = {"reason": "hidden", "kind": "product", "item_id": products_of(1)[0]}
    assert client.post("/api/v1/suppressions", json=hidden).status_code == 201
    after = same(client, "u-1", "product")
    assert after.headers["ETag"] != before.headers["ETag"]
    assert products_of(1)[0] not in [item["product_id"] for item in after.json()["items"]]


def test_an_erased_user_is_unknown_in_both(client: TestClient) -> None:
    assert client.delete("/api/v1/users/u-2").status_code == 202
    assert client.get(URL.format("u-2")).status_code == 404


@pytest.mark.parametrize("user", ["nobody", "%00", "x" * 300])
def test_what_cannot_be_answered_is_left_to_the_route(
    client: TestClient, handed_over: list[str], user: str
) -> None:
    assert client.get(URL.format(user)).status_code in (404, 422)
    assert handed_over


def test_who_may_not_ask_is_told_so_by_the_route(client: TestClient, handed_over: list[str]) -> None:
    refused = client.get(URL.format("u-1"), headers={"Authorization": "Bearer nonsense"})
    assert refused.status_code == 401
    assert handed_over


def test_it_is_logged_and_counted_like_the_route(client: TestClient, logged: Logged) -> None:
    client.get(URL.format("u-1"))
    counted = client.get("/metrics").text
    assert 'route="/api/v1/users/{user_id}/recommendations"' in counted
