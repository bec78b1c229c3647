"""Turning requests away while there is still time to answer the others.

Two signs of overload, and a fixed bound for each: how many requests are being answered (they wait for
datastores), and how long this one waited for the event loop since its head arrived (the processor is the
bottleneck). Who waited too long has probably given up, and answering would only make the next one wait
(Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
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
    now = clock or asyncio.get_running_loop().time
    return arrived is not None and now() - arrived > settings.wait_seconds
