"""What is answered below the framework is what the route answers, to the byte and to the header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import pytest
from fastapi.testclient import TestClient

from marketing_platform.errors import CostRefused, StoreUnavailable
from marketing_platform.recommenders.prepared import EVERYONE
from marketing_platform.stores.protocols import Answers, AnswersReader
from marketing_platform_tests.serving.conftest import (
    Logged,
    Platform,
    Response,
    await_until,
    encoder,
    products_of,
)
from serving.app import create_app
from serving.limits.settings import LimitSettings
from serving.recommendations.direct import DirectAnswers
from serving.recommendations.service import Kind

pytestmark = pytest.mark.slow

URL = "/api/v1/users/{}/recommendations"
_OF_EACH_REQUEST = {"x-request-id", "ratelimit", "date"}


class Failing:
    """Answers of a store that cannot say anything about users; counts how often it is asked."""

    def __init__(self, answers: Answers, error: Exception) -> None:
        self.asked = 0
        self._answers = answers
        self._error = error

    def open(self, name: str) -> AnswersReader:
        return Reader(self._answers.open(name), self)  # type: ignore[return-value]

    def fail(self) -> None:
        self.asked += 1
        raise self._error


class Reader:
    def __init__(self, reader: AnswersReader, store: Failing) -> None:
        self.close = reader.close
        self._reader = reader
        self._store = store

    def get(self, key: str) -> bytes | None:
        return self._reader.get(key) if key == EVERYONE else self._store.fail()


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
    answer = DirectAnswers.answer

    async def watched(self: DirectAnswers, scope: dict) -> object:
        found = await answer(self, scope)
        if found is None:
            seen.append(scope["path"])
        return found

    monkeypatch.setattr(DirectAnswers, "answer", watched)
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


@pytest.mark.parametrize("user", ["%00", "x" * 300])
def test_a_user_that_is_none_is_left_to_the_route(
    client: TestClient, handed_over: list[str], user: str
) -> None:
    assert client.get(URL.format(user)).status_code == 422
    assert handed_over


def test_that_there_is_no_such_user_is_said_at_once(client: TestClient, handed_over: list[str]) -> None:
    direct = client.get(URL.format("nobody"))
    assert not handed_over
    route = client.get(URL.format("nobody"), params={"explain": "true"})
    assert handed_over
    assert direct.status_code == route.status_code == 404
    of_each = {"timestamp", "request_id"}
    one, other = ({k: v for k, v in each.json().items() if k not in of_each} for each in (direct, route))
    assert one == other
    assert direct.headers.keys() == route.headers.keys()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable("gone; start it"), 503, "store_unavailable"),
        (CostRefused("too much; raise the limit"), 503, "store_unavailable"),
        (RuntimeError("a defect"), 500, "internal_error"),
    ],
    ids=["store", "cost", "defect"],
)
def test_a_store_that_fails_is_asked_once(
    fresh_platform: Platform, error: Exception, status: int, code: str, logged: Logged
) -> None:
    fresh_platform.publish(1)
    failing = Failing(fresh_platform.stores.answers, error)
    stores = replace(fresh_platform.stores, answers=failing)  # type: ignore[arg-type]
    app = create_app(fresh_platform.settings, stores=stores, encoder=encoder)
    with fresh_platform.client(app, raise_server_exceptions=False) as client:
        answer = client.get(URL.format("u-1"))
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert failing.asked == 1
    (line,) = [line for line in logged if line["event"] == "request"]
    assert (line["status"], line["error_code"]) == (status, code)


def test_what_leaves_directly_uses_up_limits(fresh_platform: Platform, handed_over: list[str]) -> None:
    fresh_platform.publish(1)
    limits = LimitSettings(burst=1000, sustained=3)
    with fresh_platform.client(create_app(fresh_platform.settings, encoder=encoder, limits=limits)) as client:
        answers = [client.get(URL.format("u-1")) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit"].split(";")[3] for answer in answers[:3]] == ["r=2", "r=1", "r=0"]
    assert len(handed_over) == 1, "the refusal"


def test_who_may_not_ask_is_told_so_by_the_route(client: TestClient, handed_over: list[str]) -> None:
    refused = client.get(URL.format("u-1"), headers={"Authorization": "Bearer nonsense"})
    assert refused.status_code == 401
    assert handed_over


def test_it_is_logged_and_counted_like_the_route(client: TestClient, logged: Logged) -> None:
    client.get(URL.format("u-1"))
    counted = client.get("/metrics").text
    assert 'route="/api/v1/users/{user_id}/recommendations"' in counted
