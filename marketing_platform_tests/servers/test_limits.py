"""Processes of the API count together in a real Redis, and go on alone while it is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.counters_redis import RedisCounters
from marketing_platform_tests.servers import redis
from marketing_platform_tests.servers.base import end, free_port
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.serving.test_limits import ask, scope, settings, well
from serving.limits.rates import RateLimits, Rates


@pytest.fixture
def counters() -> Iterator[RedisCounters]:
    server = shared(redis.running)
    redis.client(server).flushall()
    counters = RedisCounters(redis.settings(server))
    yield counters
    counters.close()


def test_sums_are_of_all_and_of_two_windows(counters: RedisCounters) -> None:
    assert counters.add("burst", 7, {"a": 2, "b": 1}, seconds=60) == {"a": (0, 2), "b": (0, 1)}
    assert counters.add("burst", 7, {"a": 3}, seconds=60) == {"a": (0, 5)}
    assert counters.add("burst", 8, {"a": 1, "c": 1}, seconds=60) == {"a": (5, 1), "c": (0, 1)}
    assert counters.add("other", 8, {"a": 1}, seconds=60) == {"a": (0, 1)}
    assert counters.add("burst", 8, {}, seconds=60) == {}


def test_thousands_at_once_are_counted_in_time(counters: RedisCounters) -> None:
    many = {f"client-{number}": number for number in range(1, 3_000)}
    assert counters.add("burst", 1, many, seconds=1) == {name: (0, number) for name, number in many.items()}


def test_nothing_is_kept_for_long(counters: RedisCounters) -> None:
    counters.add("burst", 1, {"a": 1}, seconds=1)
    client = redis.client(shared(redis.running))
    keys = client.keys("*")
    assert keys == [b"limits:burst:1:a"]
    assert 0 < client.ttl(keys[0]) <= 3  # type: ignore[operator]


def test_a_server_that_is_not_there_is_said_within_the_deadline() -> None:
    there_is_none = RedisCounters(redis.settings(shared(redis.running), port=free_port()))
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="did not count"):
        there_is_none.add("burst", 1, {"a": 1}, seconds=1)
    assert time.monotonic() - began < 1


def test_processes_count_together_alone_and_together_again() -> None:
    async def run() -> None:
        given = settings(share_seconds=0.02, anonymous_burst=1_000, anonymous_sustained=40)
        port = free_port()
        with redis.running(port) as server:
            rates = [Rates(given, RedisCounters(redis.settings(server))) for _ in range(2)]
            async with rates[0].running(), rates[1].running():
                one, other = (RateLimits(well, each) for each in rates)
                assert await passing(one, "192.0.2.1", 50) == 40
                await asyncio.sleep(0.5)
                assert await passing(other, "192.0.2.1", 5) == 5  # until it knows
                await asyncio.sleep(0.5)
                assert await passing(other, "192.0.2.1", 10) == 0

                end(server.process)
                assert await passing(one, "192.0.2.2", 50) == 40  # no answer fails, and none waits
                await asyncio.sleep(0.5)
                assert rates[0].shared == "open"
                assert await passing(other, "192.0.2.2", 50) == 40

                with redis.running(port):
                    await asyncio.sleep(2.5)  # the pause
                    for _ in range(100):
                        await passing(one, "192.0.2.3", 1)
                        await asyncio.sleep(0.02)
                        if rates[0].shared == "closed":
                            break
                    assert rates[0].shared == "closed"

    started_in_a_new_minute()
    asyncio.run(run())


async def passing(app: RateLimits, address: str, times: int) -> int:
    """How many of so many requests are let through."""
    return [(await ask(app, scope(client=(address, 1))))[0] for _ in range(times)].count(200)


def started_in_a_new_minute() -> None:
    """A window that ends meanwhile would let more through."""
    left = 60 - time.time() % 60
    if left < 15:
        time.sleep(left)
