"""How many requests a client may send: per key or user, and per address where nobody says who they are.

The hot path only looks into dictionaries. Where several processes serve, what each counted is added up in
Redis every tenth of a second, beside the requests: an answer never waits for Redis, and when it is gone each
process goes on with its own count. Too many are told so with 429, Retry-After and the fields of
draft-ietf-httpapi-ratelimit-headers-11, which every other answer carries too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import AddressValueError, IPv6Address
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.breaker import Breaker, State
from marketing_platform.stores.protocols import Counters
from serving import errors
from serving.limits.paths import is_probe
from serving.limits.settings import LimitSettings
from serving.limits.windows import Policy, Window

Fields = list[tuple[bytes, bytes]]  # of an answer's head, as ASGI has them

_PAUSE_SECONDS = 2.0
_log: Any = structlog.get_logger("serving.limits")


class Allowance:
    """Two windows for the same clients: a short one for bursts, a long one for what goes on."""

    def __init__(self, kind: str, burst: int, sustained: int) -> None:
        self.kind = kind
        self.burst = Window(Policy("burst", burst, 1))
        self.sustained = Window(Policy("sustained", sustained, 60))
        self.policies = f'"burst";q={burst};w=1, "sustained";q={sustained};w=60'.encode()

    @property
    def windows(self) -> Sequence[Window]:
        return (self.burst, self.sustained)

    def take(self, client: str, now: float) -> tuple[bytes, int]:
        """Count a request; returns the RateLimit field, and in how many seconds to come back, or 0."""
        burst, sustained = self.burst, self.sustained
        short, long = burst.left(client, now), sustained.left(client, now)
        if short > 0 and long > 0:
            burst.count(client)
            sustained.count(client)
            ends = sustained.ends(now)
            return b'"burst";r=%d;t=1, "sustained";r=%d;t=%d' % (short - 1, long - 1, ends), 0
        window = burst if long > 0 else sustained
        wait = window.wait(client, now)
        return b'"%s";r=0;t=%d' % (window.policy.name.encode(), wait), wait


class Rates:
    """What all clients have left. `counters` are what other processes add to; None when there are none."""

    def __init__(self, settings: LimitSettings, counters: Counters | None = None) -> None:
        self._known = Allowance("known", settings.burst, settings.sustained)
        self._anonymous = Allowance("anonymous", settings.anonymous_burst, settings.anonymous_sustained)
        self._share_seconds = settings.share_seconds
        self._counters = counters
        self._breaker = Breaker(failures=1, pause_seconds=_PAUSE_SECONDS)

    @property
    def shared(self) -> State | None:
        """How it stands with what other processes add to: not closed means that each counts alone."""
        return self._breaker.state if self._counters else None

    def take(self, scope: Scope, now: float) -> tuple[Fields, int]:
        """Count a request; returns what its answer says of it, and in how many seconds to come back, or 0.

        Who is to come back later has used up nothing.
        """
        allowance, client = self._of(scope)
        left, wait = allowance.take(client, now)
        return [(b"ratelimit-policy", allowance.policies), (b"ratelimit", left)], wait

    def _of(self, scope: Scope) -> tuple[Allowance, str]:
        """Which allowance a request uses up, and whose."""
        principal = scope["state"].get("principal")
        if principal is not None:
            return self._known, principal.id
        client = scope.get("client")
        return self._anonymous, _network(client[0]) if client else "unknown"

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Meanwhile, what is counted here is told to other processes, and theirs is heard."""
        if self._counters is None:
            yield
            return
        task = asyncio.create_task(self._share(self._counters))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._counters.close()

    async def _share(self, counters: Counters) -> None:
        while True:
            await asyncio.sleep(self._share_seconds)
            for allowance in (self._known, self._anonymous):
                for window in allowance.windows:
                    await self._tell(counters, f"{allowance.kind}-{window.policy.name}", window)

    async def _tell(self, counters: Counters, name: str, window: Window) -> None:
        number, counted = window.untold(time.time())
        if not counted or not self._breaker.admits():
            return  # what was counted meanwhile stays this process's own
        try:
            totals = await asyncio.to_thread(
                counters.add, name, number, counted, seconds=window.policy.seconds
            )
        except StoreUnavailable as error:
            if self._breaker.failed():
                _log.warning("limits are counted per process", reason=str(error))
            return
        except Exception:  # noqa: BLE001 -- a limit that is not shared is no reason to stop sharing for good
            self._breaker.failed()
            _log.exception("limits are counted per process")
            return
        if self._breaker.succeeded():
            _log.info("limits are counted together again")
        window.learn(number, totals)


class RateLimits:
    """ASGI middleware; probes of health are never refused, and use nothing up."""

    def __init__(self, app: ASGIApp, rates: Rates, clock: Callable[[], float] = time.time) -> None:
        self._app = app
        self._rates = rates
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 429; either way say what is left."""
        if scope["type"] != "http" or is_probe(scope["path"]):
            await self._app(scope, receive, send)
            return
        fields, wait = self._rates.take(scope, self._clock())

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *fields]
            await send(message)

        if not wait:
            await self._app(scope, receive, send_with_limits)
            return
        refusal = errors.refuse(scope, "too_many_requests", headers={"Retry-After": str(wait)})
        await refusal(scope, receive, send_with_limits)


def _network(address: str) -> str:
    """An address as one client: whoever has one of IPv6 has all of its /64 (RFC 6177)."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address[:64]
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else f"{int(parsed) >> 64:x}::/64"
