"""Figures that nobody reports because they are states: read once a second, and before each answer of metrics.

Once a second because another worker may be the one that is asked; see `exposition.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from serving.live import LivePath
from serving.lookups import Lookups
from serving.observability import exchange, metrics, security
from serving.releases import ReleaseHolder

_SECONDS = 1.0


class Sampling:
    """Reads the state of this worker into gauges.

    Args:
        holder: Which release is served.
        live: Whether the live path is open.
        lookups: How many questions are asked and wait, and which datastores are left alone.
    """

    def __init__(self, holder: ReleaseHolder, live: LivePath, lookups: Lookups) -> None:
        self._holder = holder
        self._live = live
        self._lookups = lookups
        self._counted: str | None = None  # the release for which this worker counts

    def sample(self) -> None:
        """Read everything now; from the event loop only."""
        metrics.IN_FLIGHT.set(exchange.in_flight())
        metrics.LIVE_PATH_READY.set(self._live.state == "ready")
        self._sample_release()
        for area, load in self._lookups.loads.items():
            metrics.THREADS_BUSY.labels(area).set(load.busy)
            metrics.LOOKUPS_QUEUED.labels(area).set(load.queued)
        for area, state in self._lookups.circuits.items():
            metrics.circuit(area, state)
        security.floods.settle()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Read everything once a second meanwhile; at the end this worker serves no release."""
        task = asyncio.create_task(self._watch(), name="read the state into metrics")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._count(None)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.sample()
            due = loop.time() + _SECONDS
            await asyncio.sleep(_SECONDS)
            metrics.LOOP_LAG.set(max(0.0, loop.time() - due))

    def _sample_release(self) -> None:
        release = self._holder.current
        self._count(release.manifest.release_id if release else None)
        metrics.RELEASE_BEHIND.set(self._holder.problem is not None)
        if release is not None:
            manifest = release.manifest
            metrics.RELEASE_AGE.set((datetime.now(UTC) - manifest.created_at).total_seconds())
            metrics.RELEASE_HELD.set(len(manifest.held))

    def _count(self, serving: str | None) -> None:
        if self._counted is not None and self._counted != serving:
            metrics.RELEASE_INFO.labels(self._counted).set(0)
        if serving is not None:
            metrics.RELEASE_INFO.labels(serving).set(1)
        self._counted = serving
