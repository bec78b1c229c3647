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
        self._clock = clock or (lambda: asyncio.get_running_loop().time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 503 at once."""
        if scope["type"] != "http" or is_probe(scope["path"]):
            await self._app(scope, receive, send)
            return
        load = self._load
        if load.in_flight >= self._settings.at_once or self._late(scope):
            load.shed += 1
            metrics.shed("overload")
            await errors.refuse(scope, "overloaded")(scope, receive, send)
            return
        load.in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            load.in_flight -= 1

    def _late(self, scope: Scope) -> bool:
        arrived = scope["state"].get(ARRIVED)
        return arrived is not None and self._clock() - arrived > self._settings.wait_seconds
