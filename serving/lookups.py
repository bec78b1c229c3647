"""Questions to the release, asked in threads: so many at once per area, and each answered in time or not.

A datastore that hangs holds the threads of the areas that ask it, and no others (a bulkhead: Nygard,
Release It!, 2nd ed., 2018, ch. 5): `/health` and everything else go on. What a question means belongs to
the `service.py` of its area; how long a datastore itself may take is said in its settings.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, Literal, ParamSpec

import structlog
from fastapi import Request, Response

from marketing_platform.errors import StoreBusy, StoreUnavailable
from serving import responses
from serving.errors import ApiError
from serving.releases import OpenRelease, ReleaseHolder

Area = Literal["recommendations", "live path", "graph", "analytics"]
Asked = ParamSpec("Asked")
Question = Callable[Concatenate[OpenRelease, Asked], bytes]

_THREADS = 16  # of one area
_REMEMBERED = 30.0  # seconds for which health tells of a failure that no success has followed
_log: Any = structlog.get_logger("serving.lookups")


@dataclass
class _Begun:
    """A question that a thread has, or will have, and how many requests wait for its answer."""

    work: Future[bytes]
    answer: asyncio.Future[bytes]
    waiting: int = 0


class Lookups:
    """Asks the release that serves; an answer that takes longer than `seconds` becomes a 503.

    Args:
        holder: Where the release comes from.
        seconds: For one answer, waiting for a thread included.
        at_once: Areas that only look into local files: a thread would cost more than the look-up.
        worked_out: Areas whose answers this process works out itself: more threads than cores would only
            hold up each other, and everything else.
    """

    def __init__(
        self,
        holder: ReleaseHolder,
        *,
        seconds: float,
        at_once: Collection[Area] = (),
        worked_out: Collection[Area] = (),
    ) -> None:
        self._holder = holder
        self._seconds = seconds
        self._at_once = frozenset(at_once)
        self._worked_out = frozenset(worked_out)
        self._pools: dict[Area, ThreadPoolExecutor] = {}
        self._failures: dict[Area, tuple[float, str]] = {}
        self._unfinished: set[asyncio.Future[bytes]] = set()
        self._coming: dict[Hashable, _Begun] = {}

    @property
    def problem(self) -> str | None:
        """Which areas could not be answered lately, and why; None when none."""
        now = time.monotonic()
        recent = [f"{area}: {why}" for area, (at, why) in self._failures.items() if now - at < _REMEMBERED]
        return "; ".join(recent) or None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """At the end give threads that wait for a datastore as long as a request has, and let go of them."""
        yield
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=self._seconds)

    async def answer(
        self,
        request: Request,
        area: Area,
        question: Question[Asked],
        /,
        *args: Asked.args,
        **named: Asked.kwargs,
    ) -> Response:
        """The answer to `question(release, …)` with the head of the one release that gave it.

        Raises:
            ApiError: `no_release`; `store_unavailable` when it did not come in time; or what the
                question raises.
        """
        with ExitStack() as lease:
            release = lease.enter_context(self._holder.lease())
            try:
                if area in self._at_once:
                    body = question(release, *args, **named)
                else:
                    begun = self._begin(area, lease.pop_all(), question, release, *args, **named)
                    body = await self._in_time(area, begun)
            except (StoreUnavailable, StoreBusy) as error:
                self._note(area, str(error))
                raise
            self._failures.pop(area, None)
            return responses.answer(request, release.manifest, body)

    async def answer_once(
        self,
        request: Request,
        area: Area,
        question: Question[Asked],
        /,
        *args: Asked.args,
        **named: Asked.kwargs,
    ) -> Response:
        """The same for questions that many ask alike: each is worked out once per release.

        `args`, which must be hashable, tell questions apart; `named` are the same for all of them.
        """
        with ExitStack() as lease:
            release = lease.enter_context(self._holder.lease())
            body = release.remembered.get((question, *args))
            if body is None:
                try:
                    body = await self._once(area, lease, question, release, *args, **named)
                except (StoreUnavailable, StoreBusy) as error:
                    self._note(area, str(error))
                    raise
                self._failures.pop(area, None)
            return responses.answer(request, release.manifest, body)

    async def _once(
        self,
        area: Area,
        lease: ExitStack,
        question: Question[Asked],
        release: OpenRelease,
        *args: Asked.args,
        **named: Asked.kwargs,
    ) -> bytes:
        """Wait for the answer that another request waits for already, or be the first to want it."""
        key = (release.manifest.release_id, question, *args)
        begun = self._coming.get(key)
        if begun is None:
            begun = first = self._begin(area, lease.pop_all(), question, release, *args, **named)
            self._coming[key] = first

            def came(answer: asyncio.Future[bytes]) -> None:
                self._forget(key, first)
                if not answer.cancelled() and answer.exception() is None:
                    release.remembered.keep((question, *args), answer.result())

            begun.answer.add_done_callback(came)
        try:
            return await self._in_time(area, begun)
        finally:
            if begun.work.cancelled():
                self._forget(key, begun)  # who asks now, asks anew

    def _forget(self, key: Hashable, begun: _Begun) -> None:
        if self._coming.get(key) is begun:
            del self._coming[key]

    def _begin(
        self,
        area: Area,
        lease: ExitStack,
        question: Question[Asked],
        release: OpenRelease,
        *args: Asked.args,
        **named: Asked.kwargs,
    ) -> _Begun:
        work = self._pool(area).submit(question, release, *args, **named)
        answer = asyncio.wrap_future(work)
        self._unfinished.add(answer)

        def finished(_: asyncio.Future[bytes]) -> None:
            self._unfinished.discard(answer)
            lease.close()
            if not answer.cancelled():
                answer.exception()  # nobody may be there any more to look at it

        # A thread cannot be stopped: the release stays open until it is done.
        answer.add_done_callback(finished)
        return _Begun(work, answer)

    async def _in_time(self, area: Area, begun: _Begun) -> bytes:
        begun.waiting += 1
        try:
            await asyncio.wait([begun.answer], timeout=self._seconds)
        finally:
            begun.waiting -= 1
        if begun.answer.done():
            return begun.answer.result()
        if not begun.waiting:
            begun.work.cancel()  # if it has not begun
        self._note(area, f"no answer within {self._seconds:g} s")
        raise ApiError("store_unavailable", part=area)

    def _pool(self, area: Area) -> ThreadPoolExecutor:
        if area not in self._pools:
            threads = min(_THREADS, 1 + (os.cpu_count() or 1)) if area in self._worked_out else _THREADS
            self._pools[area] = ThreadPoolExecutor(threads, thread_name_prefix=area)
        return self._pools[area]

    def _note(self, area: Area, why: str) -> None:
        self._failures[area] = (time.monotonic(), why)
        _log.warning("not answered", area=area, reason=why)


def lookups_of(request: Request) -> Lookups:
    """A dependency: the look-ups of this application."""
    return request.app.state.lookups
