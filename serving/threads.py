"""Blocking work of an area in threads of its own, each piece answered in time or with 503.

Look-ups in a release have the like in `lookups.py`; here is what needs no release.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from serving.errors import ApiError

Asked = ParamSpec("Asked")
Found = TypeVar("Found")


class Threads:
    """So many threads for one area; what takes longer than `seconds` is answered with 503."""

    def __init__(self, area: str, *, threads: int, seconds: float) -> None:
        self._area = area
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=area)

    async def run(self, work: Callable[Asked, Found], /, *args: Asked.args, **named: Asked.kwargs) -> Found:
        """What `work` returns; ApiError (`store_unavailable`) when that did not come in time."""
        return await self.result(self._pool.submit(work, *args, **named), seconds=self._seconds)

    async def result(self, future: Future[Found], *, seconds: float) -> Found:
        """What is to come of something that was begun elsewhere, likewise."""
        waiting = asyncio.wrap_future(future)
        await asyncio.wait([waiting], timeout=seconds)
        if waiting.done():
            return waiting.result()
        waiting.add_done_callback(lambda late: late.cancelled() or late.exception())
        raise ApiError("store_unavailable", part=self._area)

    def close(self) -> None:
        """Let go of the threads; what has begun ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
