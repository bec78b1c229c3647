"""JSON bodies are taken strictly: what is sent is a document of the model, or a 4xx that repeats nothing."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from marketing_platform_tests.serving.test_errors import error_of
from serving import errors
from serving.errors import ApiError
from serving.limits.bodies import DEEPEST, check, documented, strict_json
from serving.limits.caps import Caps
from serving.limits.settings import LimitSettings
from serving.middleware import RequestMiddleware


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    price: float = Field(ge=0)


GOOD: dict[str, Any] = {"at": "2026-11-21T06:30:12Z", "parts": [{"name": "a", "price": 1.5}]}


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [GOOD]})
    at: datetime
    kind: Literal["new", "old"] = "new"
    parts: list[Part] = Field(max_length=10)
    free: dict[str, int] = Field(default_factory=dict)


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    errors.install(app)

    @app.post("/orders", openapi_extra=documented(Order))
    async def take(order: Annotated[Order, Depends(strict_json(Order))]) -> Order:
        return order

    app.add_middleware(Caps, settings=LimitSettings(body_bytes=10_000))
    app.add_middleware(RequestMiddleware)
    return TestClient(app, raise_server_exceptions=False)


def post(client: TestClient, body: bytes, content_type: str = "application/json") -> Any:
    return client.post("/orders", content=body, headers={"Content-Type": content_type})


def order(**changed: Any) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


def test_a_good_one_is_taken(client: TestClient) -> None:
    answer = post(client, order(free={"é": 1}), 'application/JSON; charset="UTF-8"')
    assert answer.status_code == 200, answer.text
    assert answer.json()["free"] == {"é": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b'{"at": Infinity}',
        b'{"at": -Infinity}',
        b'{"parts": 1e999}',
        b'{"at": "\\ud800"}',
        b'{"\\udc00": 1}',
        b'{"at": "\xff"}',
        b'{"at": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"at": "a\x00b"}',
        b'{"at": "a\\u0000b"}',
        b'{"at": "\\\\\\u0000"}',
        b'{"at": 1, "at": 1}',
        b'{"free": [{"a": 1, "\\u0061": 2}]}',
        b"[" * 5000 + b"]" * 5000,
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b"1" * 5000,
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 01}',
        b"// no\n{}",
    ],
    ids=range(26),
)
def test_what_is_no_json_or_has_two_meanings_is_malformed(client: TestClient, body: bytes) -> None:
    details = error_of(post(client, body), 400, "malformed_json")["details"]
    assert set(details) == {"problem"}


@pytest.mark.parametrize(
    "body",
    [b'{"a": "\\\\u0000"}', b"[" * DEEPEST + b"]" * DEEPEST, b"[]" * 1, b'{"a": {"b": 1}, "c": {"b": 1}}'],
)
def test_what_looks_like_it_but_is_good_json_passes(body: bytes) -> None:
    check(body)


def test_many_lists_side_by_side_are_not_deep() -> None:
    check(b"[" + b"[]," * 1000 + b"[]]")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"{}", ["at", "parts"]),
        (b"[]", [""]),
        (b"null", [""]),
        (order(at="secret-yesterday"), ["at"]),
        (order(kind="secret"), ["kind"]),
        (order(secret=1), ["…"]),
        (order(free={"secret": "x"}), ["free.…"]),
        (order(parts=[{"name": "a", "price": -1}]), ["parts.0.price"]),
        (order(parts=[{"name": "a", "price": 1, "secret": 2}]), ["parts.0.…"]),
        (order(parts=[{"name": 5, "price": "secret"}]), ["parts.0.name", "parts.0.price"]),
    ],
    ids=range(10),
)
def test_json_that_does_not_fit_is_named_without_what_was_sent(
    client: TestClient, body: bytes, names: list[str]
) -> None:
    answer = post(client, body)
    problems = error_of(answer, 422, "invalid_parameter")["details"]["problems"]
    assert [(problem["in"], problem["name"]) for problem in problems] == [("body", name) for name in names]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "json",
        "*/*",
    ],
)
def test_another_content_type_is_415(client: TestClient, content_type: str) -> None:
    details = error_of(post(client, order(), content_type), 415, "unsupported_media_type")["details"]
    assert details["accepted"].startswith("application/json")


def test_a_long_one_is_413_even_when_nobody_says_how_long(client: TestClient) -> None:
    error_of(post(client, b'"' + b"x" * 20_000 + b'"'), 413, "body_too_large")
    pieces = (b"x" * 1000 for _ in range(20))
    streamed = client.post("/orders", content=pieces, headers={"Content-Type": "application/json"})
    error_of(streamed, 413, "body_too_large")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_that_is_sent_crashes_it(client: TestClient, body: bytes) -> None:
    assert post(client, body).status_code in {200, 400, 422}


@settings(max_examples=150, deadline=None)
@given(_JSON)
def test_what_passes_means_the_same_to_every_parser(value: Any) -> None:
    raw = json.dumps(value).encode()
    try:
        check(raw)
    except ApiError:
        text = raw.decode()
        assert any(sign in text for sign in ("NaN", "Infinity", "\\u0000", "\\ud")) or _large(value)
    else:
        assert json.loads(raw) == value


def _large(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) > 1e300
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_large, parts))


def test_the_description_shows_the_whole_body(client: TestClient) -> None:
    body = client.get("/openapi.json").json()["paths"]["/orders"]["post"]["requestBody"]
    content = body["content"]["application/json"]
    assert content["example"] == GOOD
    assert content["schema"]["properties"]["parts"]["items"]["properties"]["price"]["minimum"] == 0
    assert "$ref" not in json.dumps(content)
