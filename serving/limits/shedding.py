"""Turning requests away while there is still time to answer the others.

Two signs of overload, and a fixed bound for each: how many requests are being answered (they wait for
datastores), and how long they waited for the event loop since their heads arrived (the processor is the
bottleneck). Who waited too long has probably given up, and answering would only make the next one wait. One
pause, as when a release opens, is no overload: those behind it are answered. Only when requests go on being
late are they turned away (Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from serving import errors
from serving.limits.paths import is_probe
from serving.limits.settings import LimitSettings
from serving.observability import metrics

ARRIVED = "arrived"  # in the scope's state: when the head was there, on the loop's clock


class Load:
    """What this process is answering, and whom it turned away; for metrics."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.shed = 0
        self.late_since: float | None = None  # since when every request has waited too long


class Shedding:
    """ASGI middleware; probes of health are always answered."""

    def __init__(
        self, app: ASGIApp, settings: LimitSettings, load: Load, clock: Callable[[], float] | None = None
    ) -> None:
        self._app = app
        self._settings = settings
        self._load = load
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 503 at once."""
        if scope["type"] != "http" or is_probe(scope["path"]):
            await self._app(scope, receive, send)
            return
        load = self._load
        if overloaded(scope, self._settings, load, self._clock):
            load.shed += 1
            metrics.shed("overload")
            await errors.refuse(scope, "overloaded")(scope, receive, send)
            return
        load.in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            load.in_flight -= 1


def overloaded(
    scope: Scope, settings: LimitSettings, load: Load, clock: Callable[[], float] | None = None
) -> bool:
    """Whether a request is to be turned away; `clock` is the running loop's, which says when it arrived."""
    if load.in_flight >= settings.at_once:
        return True
    arrived = scope["state"].get(ARRIVED)
    now = (clock or asyncio.get_running_loop().time)()
    if arrived is None or now - arrived <= settings.wait_seconds:
        load.late_since = None
        return False
    if load.late_since is None:
        load.late_since = now
    return now - load.late_since > settings.wait_seconds
