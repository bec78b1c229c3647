"""Questions to the release, asked in threads: so many at once per area, and each answered in time or not.

A datastore that hangs holds the threads of the areas that ask it, and no others (a bulkhead: Nygard,
Release It!, 2nd ed., 2018, ch. 5): `/health` and everything else go on. What a question means belongs to
the `service.py` of its area; how long a datastore itself may take is said in its settings.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Concatenate, Literal, ParamSpec, get_args

import structlog
from fastapi import Depends, Request, Response

from marketing_platform.errors import StoreBusy, StoreUnavailable
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.breaker import Breaker, State
from serving import responses
from serving.errors import ERRORS, ApiError
from serving.masking import without
from serving.observability import metrics, tracing
from serving.observability.exchange import current
from serving.parameters import OfRelease
from serving.releases import OpenRelease, ReleaseHolder

Area = Literal["recommendations", "features", "live path", "graph", "analytics", "boards"]
Asked = ParamSpec("Asked")
Question = Callable[Concatenate[OpenRelease, Asked], bytes]

_THREADS = 16  # of one area
_REMEMBERED = 30.0  # seconds for which health tells of a failure that no success has followed
_FAILURES = 5  # in a row, after which an area's datastores are left alone
_PAUSE_SECONDS = 5.0
_log: Any = structlog.get_logger("serving.lookups")


@dataclass(frozen=True)
class Load:
    """How many questions of an area are asked now, and how many wait for a thread."""

    busy: int
    queued: int


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
        masked: The users whom no answer of a release may show.
        at_once: Areas that only look into local files: a thread would cost more than the look-up.
        worked_out: Areas whose answers this process works out itself: more threads than cores would only
            hold up each other, and everything else.
    """

    def __init__(
        self,
        holder: ReleaseHolder,
        *,
        seconds: float,
        masked: Callable[[Manifest], frozenset[str]],
        at_once: Collection[Area] = (),
        worked_out: Collection[Area] = (),
    ) -> None:
        self._holder = holder
        self._masked = masked
        self._seconds = seconds
        self._at_once = frozenset(at_once)
        self._worked_out = frozenset(worked_out)
        self._pools: dict[Area, ThreadPoolExecutor] = {}
        self._failures: dict[Area, tuple[float, str]] = {}
        self._breakers: dict[Area, Breaker] = {}
        self._unfinished: set[asyncio.Future[bytes]] = set()
        self._asked: dict[Area, int] = {}
        self._coming: dict[Hashable, _Begun] = {}

    @property
    def loads(self) -> dict[Area, Load]:
        """How busy the threads of each area are that has any."""
        threads = {area: self._threads(area) for area in self._asked}
        return {
            area: Load(min(asked, threads[area]), max(0, asked - threads[area]))
            for area, asked in self._asked.items()
        }

    @property
    def problem(self) -> str | None:
        """Which areas could not be answered lately, and why; None when none."""
        now = time.monotonic()
        recent = [f"{area}: {why}" for area, (at, why) in self._failures.items() if now - at < _REMEMBERED]
        return "; ".join(recent) or None

    @property
    def circuits(self) -> dict[Area, State]:
        """How it stands with each area that has been asked."""
        return {area: breaker.state for area, breaker in self._breakers.items()}

    @property
    def areas(self) -> dict[Area, Literal["ok", "failing"]]:
        """Whether each area could be answered lately."""
        now = time.monotonic()
        failing = {area for area, (at, _) in self._failures.items() if now - at < _REMEMBERED}
        return {area: "failing" if area in failing else "ok" for area in get_args(Area)}

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

        That is the release of the query's parameter `release`, or else the one that serves. Raises what
        `ask` raises.
        """
        users, pinned = users_asked(request), release_asked(request)
        manifest, body = await self.ask(area, users, pinned, question, *args, **named)
        return responses.answer(request, manifest, body)

    async def ask(
        self,
        area: Area,
        users: Collection[str],
        pinned: str | None,
        question: Question[Asked],
        /,
        *args: Asked.args,
        **named: Asked.kwargs,
    ) -> tuple[Manifest, bytes]:
        """What `question(release, …)` says of these users, and of which release: `pinned` or the serving one.

        Raises:
            ApiError: `no_release`; `unknown_release`; `store_unavailable` when it did not come in time, or
                was not asked for because it has not come lately; or what the question raises.
        """
        if area in self._at_once and not pinned:
            return self._ask_at_once(area, users, question, *args, **named)
        with tracing.span(f"ask {area}"), ExitStack() as lease:
            release = await self._leased(lease, area, users, pinned)
            masked = release.masked
            with self._told(area):
                if area in self._at_once:
                    body = question(release, *args, **named)
                else:
                    begun = self._begin(area, lease.pop_all(), question, release, *args, **named)
                    body = await self._in_time(area, begun)
            return release.manifest, without(masked, body) if masked else body

    def _ask_at_once(
        self,
        area: Area,
        users: Collection[str],
        question: Question[Asked],
        /,
        *args: Asked.args,
        **named: Asked.kwargs,
    ) -> tuple[Manifest, bytes]:
        """`ask` without a lease: nothing else runs on the loop meanwhile that could close the release."""
        release = self._holder.current
        if release is None:
            raise ApiError("no_release")
        with tracing.span(f"ask {area}"):
            masked = self._mask(release, users)
            with self._told(area):
                body = question(release, *args, **named)
            return release.manifest, without(masked, body) if masked else body

    async def answer_once(
        self,
        request: Request,
        area: Area,
        question: Question[Asked],
        /,
        *args: Asked.args,
        **named: Asked.kwargs,
    ) -> Response:
        """`answer` for questions that many ask alike: each is worked out once per release.

        `args`, which must be hashable, tell questions apart; `named` are the same for all of them. What is
        remembered must not depend on who is masked: that is taken out when an answer leaves.
        """
        users, pinned = users_asked(request), release_asked(request)
        manifest, masked, body = await self.ask_once(area, users, pinned, question, *args, **named)
        return responses.answer(request, manifest, without(masked, body) if masked else body)

    async def ask_once(
        self,
        area: Area,
        users: Collection[str],
        pinned: str | None,
        question: Question[Asked],
        /,
        *args: Asked.args,
        **named: Asked.kwargs,
    ) -> tuple[Manifest, frozenset[str], bytes]:
        """What `answer_once` answers, the release it is of, and who is still to be taken out of it."""
        with tracing.span(f"ask {area}"), ExitStack() as lease:
            release = await self._leased(lease, area, users, pinned)
            masked = release.masked
            body = release.remembered.get((question, *args))
            if body is None:
                body = await self._once(area, lease, question, release, *args, **named)
            return release.manifest, masked, body

    async def _leased(
        self, lease: ExitStack, area: Area, users: Collection[str], pinned: str | None
    ) -> OpenRelease:
        """The release to ask about these users, leased until `lease` closes."""
        if pinned and self._breaker(area).state == "open":
            raise ApiError("store_unavailable", part=area)  # opening one is asking too
        leased = await self._past(area, pinned) if pinned else self._holder.lease()
        release = lease.enter_context(leased)
        self._mask(release, users)
        return release

    def _mask(self, release: OpenRelease, users: Collection[str]) -> frozenset[str]:
        """Whom no answer of the release may show, from now on; raises if that is one of these users."""
        masked = release.masked = self._masked(release.manifest)
        if masked and not masked.isdisjoint(users):
            raise ApiError("unknown_user", parameter="user_id")
        return masked

    @contextmanager
    def _told(self, area: Area) -> Generator[None]:
        """Ask only if the area's datastores are not left alone, and note how it went."""
        if not self._breaker(area).admits():
            raise ApiError("store_unavailable", part=area)
        try:
            yield
        except (StoreUnavailable, StoreBusy) as error:
            self._note(area, str(error))
            raise
        except ApiError as error:
            if ERRORS[error.code].status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._answered(area)  # that there is no such user is an answer
            raise
        self._answered(area)

    async def _past(self, area: Area, release_id: str) -> AbstractContextManager[OpenRelease]:
        try:
            return await asyncio.wait_for(self._holder.lease_of(release_id), self._seconds)
        except TimeoutError:
            self._note(area, f"release {release_id} not opened within {self._seconds:g} s")
            raise ApiError("store_unavailable", part="release") from None

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
        # What a store says against it is one failure, however many wait: who began tells of it.
        with self._told(area) if begun is None else nullcontext():
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
        exchange, asked = current(), time.perf_counter()

        def begun() -> bytes:
            if exchange is not None:
                exchange.queued = time.perf_counter() - asked
            return question(release, *args, **named)

        # In the request's context, so that lines and spans of the thread belong to it.
        work = self._pool(area).submit(copy_context().run, begun)
        answer = asyncio.wrap_future(work)
        self._unfinished.add(answer)
        self._asked[area] = self._asked.get(area, 0) + 1

        def finished(_: asyncio.Future[bytes]) -> None:
            self._unfinished.discard(answer)
            self._asked[area] -= 1
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

    def _breaker(self, area: Area) -> Breaker:
        if area not in self._breakers:
            self._breakers[area] = Breaker(failures=_FAILURES, pause_seconds=_PAUSE_SECONDS)
        return self._breakers[area]

    def _pool(self, area: Area) -> ThreadPoolExecutor:
        if area not in self._pools:
            self._pools[area] = ThreadPoolExecutor(self._threads(area), thread_name_prefix=area)
        return self._pools[area]

    def _threads(self, area: Area) -> int:
        return min(_THREADS, 1 + (os.cpu_count() or 1)) if area in self._worked_out else _THREADS

    def _answered(self, area: Area) -> None:
        self._failures.pop(area, None)
        if self._breaker(area).succeeded():
            _log.info("asked again", area=area)

    def _note(self, area: Area, why: str) -> None:
        self._failures[area] = (time.monotonic(), why)
        metrics.lookup_failed(area)
        _log.warning("not answered", area=area, reason=why)
        if self._breaker(area).failed():
            _log.warning("left alone", area=area, seconds=_PAUSE_SECONDS)


def users_asked(request: Request) -> list[str]:
    """The users whom a request is about."""
    in_path = request.path_params.get("user_id")
    return [*request.query_params.getlist("user_id"), *([in_path] if in_path else [])]


def release_asked(request: Request) -> str | None:
    """The release whose answer is to be reproduced; None for the one that serves."""
    return getattr(request.state, "release", None)


async def _of_release(request: Request, release: OfRelease = None) -> None:
    request.state.release = release


# A dependency of routers whose look-ups can be asked of a past release.
OF_RELEASE = Depends(_of_release)


async def lookups_of(request: Request) -> Lookups:
    """A dependency: the look-ups of this application.

    FastAPI runs dependencies that are not `async` in a thread each, which costs more than most answers: all
    of this package are.
    """
    return request.app.state.lookups
