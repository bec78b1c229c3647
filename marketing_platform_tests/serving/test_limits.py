"""What the API lets through: how often, how much, how long, and how many at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marketing_platform.errors import StoreUnavailable
from marketing_platform_tests.serving.conftest import Platform, encoder
from marketing_platform_tests.serving.test_errors import error_of
from serving.app import create_app
from serving.limits.caps import Caps
from serving.limits.rates import RateLimits, Rates
from serving.limits.settings import LimitSettings
from serving.limits.shedding import ARRIVED, Load, Shedding

NOW = 1_800_000_030.5  # the middle of a minute and of a second


def settings(**given: Any) -> LimitSettings:
    return LimitSettings(**given)


async def well(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says yes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def reading(scope: Scope, receive: Receive, send: Send) -> None:
    """One that reads the body, and makes its own of whatever goes wrong with it."""
    size, more = 0, True
    try:
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    except Exception:  # noqa: BLE001 -- as frameworks do
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b"mine"})
        return
    await well(scope, receive, send)


def scope(**given: Any) -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "path": "/recommendations/u-1",
        "raw_path": b"/recommendations/u-1",
        "query_string": b"",
        "headers": [],
        "client": ("192.0.2.1", 1),
        "state": {"request_id": "test"},
        **given,
    }


async def ask(app: ASGIApp, asked: Scope, *messages: Message) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer; the body of the request comes as `messages`, then nothing."""
    sent: list[Any] = []
    coming = list(messages)

    async def receive() -> Message:
        if not coming:
            await asyncio.sleep(60)
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(asked, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:])


def statuses(app: ASGIApp, times: int, **given: Any) -> list[int]:
    async def all_of_them() -> list[int]:
        return [(await ask(app, scope(**given)))[0] for _ in range(times)]

    return asyncio.run(all_of_them())


def limited(**given: Any) -> RateLimits:
    return RateLimits(well, Rates(settings(**given)), clock=lambda: NOW)


def as_principal(name: str) -> dict[str, Any]:
    return {"request_id": "test", "principal": SimpleNamespace(id=name)}


def test_every_answer_says_what_is_left(platform: Platform) -> None:
    platform.publish(1)
    few = settings(anonymous_burst=3, anonymous_sustained=100)
    with TestClient(create_app(platform.settings, encoder=encoder, limits=few)) as client:
        for _ in range(3):  # a second may end while they are asked
            first = client.get("/nothing")
            assert first.headers["RateLimit-Policy"] == '"burst";q=3;w=1, "sustained";q=100;w=60'
            assert '"burst";r=' in first.headers["RateLimit"]
        refused = next(answer for _ in range(50) if (answer := client.get("/nothing")).status_code == 429)
        error_of(refused, 429, "too_many_requests")
        assert refused.headers["RateLimit"] == f'"burst";r=0;t={refused.headers["Retry-After"]}'
        assert client.get("/health/live").status_code == 200
        assert "RateLimit" not in client.get("/api/v1/health").headers


def test_bursts_and_what_goes_on_are_bounded_apart() -> None:
    assert statuses(limited(burst=3, sustained=100), 5, state=as_principal("k")) == [200] * 3 + [429] * 2
    assert statuses(limited(burst=100, sustained=3), 5, state=as_principal("k")) == [200] * 3 + [429] * 2


def test_keys_and_addresses_have_their_own() -> None:
    app = limited(burst=2, anonymous_burst=1)
    assert statuses(app, 3, state=as_principal("a")) == [200, 200, 429]
    assert statuses(app, 3, state=as_principal("b")) == [200, 200, 429]
    assert statuses(app, 2) == [200, 429]
    assert statuses(app, 2, client=("192.0.2.2", 1)) == [200, 429]
    assert statuses(app, 1, client=None) == [200]


def test_who_has_one_address_of_ipv6_has_many() -> None:
    app = limited(anonymous_burst=1)
    assert statuses(app, 1, client=("2001:db8:1:2::1", 1)) == [200]
    assert statuses(app, 1, client=("2001:db8:1:2:ffff::9", 1)) == [429]
    assert statuses(app, 1, client=("2001:db8:1:3::1", 1)) == [200]
    assert statuses(app, 1, client=("192.0.2.9", 1)) == [200]
    assert statuses(app, 1, client=("::ffff:192.0.2.9", 1)) == [429]


def test_the_wait_is_that_of_the_window_that_is_full() -> None:
    async def refused(app: ASGIApp) -> tuple[int, dict[str, str], bytes]:
        await ask(app, scope())
        return await ask(app, scope())

    status, headers, body = asyncio.run(refused(limited(anonymous_burst=100, anonymous_sustained=1)))
    assert status == 429
    assert headers["ratelimit"] == f'"sustained";r=0;t={headers["retry-after"]}'
    assert 30 <= int(headers["retry-after"]) <= 90
    assert b"192.0.2.1" not in body


class Somewhere:
    """Counters that all processes reach, or cannot."""

    def __init__(self) -> None:
        self.counted: dict[tuple[str, int, str], int] = {}
        self.gone = False
        self.broken = False

    def add(
        self, name: str, window: int, added: Mapping[str, int], *, seconds: int
    ) -> dict[str, tuple[int, int]]:
        if self.gone:
            raise StoreUnavailable("gone")
        if self.broken:
            raise ZeroDivisionError
        sums = {}
        for client, number in added.items():
            key = (name, window, client)
            self.counted[key] = self.counted.get(key, 0) + number
            sums[client] = (self.counted.get((name, window - 1, client), 0), self.counted[key])
        return sums

    def close(self) -> None:
        self.gone = True


@asynccontextmanager
async def processes(counters: Somewhere, number: int, **given: Any) -> AsyncIterator[list[RateLimits]]:
    rates = [Rates(settings(share_seconds=0.01, **given), counters) for _ in range(number)]
    async with rates[0].running(), rates[1].running():
        yield [RateLimits(well, each) for each in rates]


def test_processes_count_together() -> None:
    async def run() -> list[int]:
        async with processes(Somewhere(), 2, anonymous_burst=1000, anonymous_sustained=10) as (one, other):
            seen = [(await ask(one, scope()))[0] for _ in range(10)]
            for _ in range(2):  # so few are nobody else's matter, and it cannot know yet
                await ask(other, scope())
            await asyncio.sleep(0.2)
            return [*seen, (await ask(other, scope()))[0]]

    assert asyncio.run(run()) == [200] * 10 + [429]


@pytest.mark.parametrize("fault", ["gone", "broken"])
def test_without_the_counters_each_process_counts_alone(fault: str) -> None:
    async def run() -> list[int]:
        counters = Somewhere()
        setattr(counters, fault, True)
        async with processes(counters, 2, anonymous_burst=1000, anonymous_sustained=3) as (one, other):
            await ask(one, scope())
            await asyncio.sleep(0.1)
            assert one._rates.shared == "open"
            return [(await ask(app, scope()))[0] for app in (one, other) for _ in range(4)]

    assert asyncio.run(run()) == [200, 200, 429, 429, 200, 200, 200, 429]


def capped(app: ASGIApp = reading, **given: Any) -> Caps:
    return Caps(app, settings(**given))


def piece(size: int, *, more: bool) -> Message:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


def code_of(app: ASGIApp, asked: Scope, *messages: Message) -> str:
    status, _, body = asyncio.run(ask(app, asked, *messages))
    if status == 200:
        return "ok"
    return f"{status} {json.loads(body)['error_code']}"


def test_a_body_is_taken_up_to_its_cap() -> None:
    app, post = capped(body_bytes=10), scope(method="POST")
    assert code_of(app, post, piece(10, more=False)) == "ok"
    assert code_of(app, post, piece(5, more=True), piece(5, more=False)) == "ok"
    # Whatever the application makes of it: the answer is 413.
    assert code_of(app, post, piece(5, more=True), piece(6, more=True)) == "413 body_too_large"
    declared = scope(method="POST", headers=[(b"content-length", b"11")])
    assert code_of(app, declared) == "413 body_too_large"


def test_records_that_are_streamed_may_be_longer() -> None:
    app = capped(body_bytes=10, bulk_bytes=20)
    bulk = scope(method="POST", path="/api/v1/data/bulk")
    assert code_of(app, bulk, piece(20, more=False)) == "ok"
    assert code_of(app, bulk, piece(21, more=False)) == "413 body_too_large"


def test_a_body_that_stops_coming_is_408() -> None:
    app = capped(body_seconds=0.05)
    assert code_of(app, scope(method="POST"), piece(1, more=True)) == "408 request_too_slow"


def test_an_answer_that_takes_too_long_is_504() -> None:
    async def sleeping(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    assert code_of(capped(sleeping, request_seconds=0.05), scope()) == "504 deadline_exceeded"


def test_a_timeout_of_the_application_is_its_own() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        asyncio.run(ask(capped(failing), scope()))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"query_string": b"x" * 9000}, "414 target_too_long"),
        ({"headers": [(b"x", b"y")] * 65}, "431 headers_too_large"),
        ({"headers": [(b"x", b"y" * 33_000)]}, "431 headers_too_large"),
        ({"headers": [(b"accept", b"text/html, image/*")]}, "406 not_acceptable"),
        ({"headers": [(b"accept", b"application/json;q=0")]}, "406 not_acceptable"),
        ({"headers": [(b"accept", b"text/html"), (b"accept", b"Application/JSON")]}, "ok"),
        ({"headers": [(b"accept", b"text/html,*/*;q=0.8")]}, "ok"),
        ({"headers": [(b"accept", b"")]}, "ok"),
        ({"headers": [(b"accept", b"text/html")], "path": "/docs"}, "ok"),
    ],
    ids=["target", "number", "size", "HTML", "q", "two lines", "a browser", "empty", "docs"],
)
def test_heads_are_judged(given: dict[str, Any], told: str) -> None:
    assert code_of(capped(well), scope(**given)) == told


def test_too_many_at_once_are_turned_away_at_once() -> None:
    async def run() -> tuple[list[int], str, int]:
        way = asyncio.Event()

        async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
            await way.wait()
            await well(scope, receive, send)

        load = Load()
        app = Shedding(waiting, settings(at_once=2), load)
        first = [asyncio.create_task(ask(app, scope())) for _ in range(2)]
        await asyncio.sleep(0)
        status, headers, _ = await ask(app, scope())
        probe = asyncio.create_task(ask(app, scope(path="/health/live")))
        await asyncio.sleep(0)
        way.set()
        answered = [(await task)[0] for task in (*first, probe)]
        assert (load.in_flight, load.shed) == (0, 1)
        return answered, headers["retry-after"], status

    assert asyncio.run(run()) == ([200, 200, 200], "1", 503)


def test_who_waits_too_long_is_turned_away_once_all_do() -> None:
    now = 10.0
    app = Shedding(well, settings(wait_seconds=0.5), Load(), clock=lambda: now)

    def status(waited: float) -> int:
        return statuses(app, 1, state={"request_id": "test", ARRIVED: now - waited})[0]

    assert status(9.0) == 200  # behind one pause
    now = 10.4
    assert status(0.6) == 200
    now = 10.6
    assert status(0.6) == 503  # they have been late for longer than one may wait
    assert status(0.4) == 200
    assert status(0.6) == 200  # from the beginning


def test_a_crash_gives_its_place_back() -> None:
    async def crashing(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    app = Shedding(crashing, settings(at_once=1), load := Load())
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(ask(app, scope()))
    assert load.in_flight == 0


def test_limits_that_are_wrong_are_named_at_the_start(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETING_LIMIT_BURST", "0")
    with pytest.raises(StoreUnavailable, match="MARKETING_LIMIT_BURST"):
        create_app(platform.settings)


def test_the_order_of_the_layers(platform: Platform) -> None:
    """A refusal of any layer carries its id and is logged; what is refused uses up nothing."""
    app: FastAPI = create_app(platform.settings, encoder=encoder, limits=settings(anonymous_sustained=2))
    names = [layer.cls.__name__ for layer in app.user_middleware]  # type: ignore[attr-defined]
    assert [name for name in names if name in {"RequestMiddleware", "Caps", "Shedding", "RateLimits"}] == [
        "RequestMiddleware",
        "Caps",
        "Shedding",
        "RateLimits",
    ]
