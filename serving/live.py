"""The encoder of the live path, opened in the background so that nothing waits for it.

Everything else answers meanwhile; a request that needs the encoder earlier is told when to come
back. The live path itself is in `recommendations/service.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

import structlog
from starlette.concurrency import run_in_threadpool

from marketing_platform.encoders import Encoder
from serving.errors import ApiError
from serving.releases import ReleaseHolder

_FIRST_PAUSE = 1.0  # seconds between attempts
_LONGEST_PAUSE = 30.0
_log: Any = structlog.get_logger("serving.live")


class LivePath:
    """Holds the encoder once it is open, and how many `neighbours` and `items` an answer is made of."""

    def __init__(self, open_encoder: Callable[[], Encoder], *, neighbours: int, items: int) -> None:
        self.neighbours = neighbours
        self.items = items
        self._open_encoder = open_encoder
        self._encoder: Encoder | None = None
        self.problem: str | None = None

    @property
    def state(self) -> Literal["starting", "ready", "failed"]:
        """Where the opening stands; `problem` says why it failed."""
        if self.problem is not None:
            return "failed"
        return "starting" if self._encoder is None else "ready"

    @property
    def encoder(self) -> Encoder:
        """The open encoder; `not_ready` (503) before."""
        if self._encoder is None:
            raise ApiError("not_ready", part="encoder")
        return self._encoder

    @asynccontextmanager
    async def running(self, holder: ReleaseHolder) -> AsyncGenerator[None]:
        """Open the encoder, and the vectors of the release at hand, while the block runs."""
        ending = asyncio.Event()
        opening = asyncio.create_task(self._open_at_last(holder, ending), name="open the live path")
        yield
        ending.set()
        await opening  # a thread cannot be cancelled; it takes about a second

    async def _open_at_last(self, holder: ReleaseHolder, ending: asyncio.Event) -> None:
        """Try until it is open: what failed may be a datastore that comes back."""
        pause = _FIRST_PAUSE
        while not await self._opened(holder) and not ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _opened(self, holder: ReleaseHolder) -> bool:
        try:
            if self._encoder is None:
                self._encoder = await run_in_threadpool(self._open_encoder)
            await self._warm(holder)
        except Exception as error:  # noqa: BLE001 -- precomputed answers do not need it; health says so
            self.problem = f"the live path cannot be opened: {type(error).__name__}"
            _log.exception("live path not opened")
            return False
        self.problem = None
        return True

    async def _warm(self, holder: ReleaseHolder) -> None:
        """Open the vectors too, so that the first to ask does not wait for them."""
        if holder.current is not None:
            with holder.lease() as release:
                await run_in_threadpool(release.vectors)
