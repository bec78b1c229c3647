"""Notes which users were shown which arms, behind the answers: none waits for it.

Exposures are gathered and written together every few seconds, through the journal of all writes. What cannot
be written is counted, and forgotten, so that the user's next answer notes it again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from fastapi import Request

from marketing_platform.errors import MarketingPlatformError
from marketing_platform.experiments.assigning import Assignment
from marketing_platform.experiments.spec import Surface
from marketing_platform.ingestion.exposures import Exposure, exposures_entry
from marketing_platform.ingestion.journal import Entry, Place
from serving.observability import metrics

_REMEMBERED = 100_000  # of each of two generations; a user who is forgotten is noted again
_WAITING = 100_000
_TOGETHER = 1_000  # lines of one write
_log: Any = structlog.get_logger("serving.exposures")


class _Key(NamedTuple):
    experiment: str
    user_id: str


class Exposures:
    """What this process showed; its methods but `running` may be called from any thread."""

    def __init__(self, append: Callable[[Entry], Future[Place]], *, every_seconds: float) -> None:
        self._append = append
        self._every_seconds = every_seconds
        self._waiting: deque[Exposure] = deque()
        self._young: dict[_Key, str] = {}
        self._old: dict[_Key, str] = {}

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write what gathers, and at the end the rest."""
        writing = asyncio.create_task(self._write_on(), name="write exposures")
        try:
            yield
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
            await asyncio.to_thread(self.write)

    def shown(self, experiment: str, user_id: str) -> str | None:
        """The arm that the user was shown here lately: later than what a release can know."""
        key = _Key(experiment, user_id)
        return self._young.get(key) or self._old.get(key)

    def note(
        self, assignment: Assignment, user_id: str, *, surface: Surface, about: str, release_id: str
    ) -> None:
        """An answer that leaves shows the user an arm."""
        key = _Key(assignment.experiment, user_id)
        if not assignment.exposed or key in self._young or key in self._old:
            return
        if len(self._waiting) >= _WAITING:
            metrics.exposures("lost", 1)
            return
        if len(self._young) >= _REMEMBERED:
            self._old, self._young = self._young, {}
        self._young[key] = assignment.variant
        now = datetime.now(UTC)
        self._waiting.append(
            Exposure(assignment.experiment, assignment.variant, user_id, now, surface, about, release_id)
        )

    def write(self) -> None:
        """Hand what has gathered to the journal, without waiting until it is durable."""
        while some := self._gathered():
            try:
                place = self._append(exposures_entry(some, by="api"))
            except MarketingPlatformError as error:
                self._lost(some, error)
            else:
                place.add_done_callback(lambda done, some=some: self._written(some, done))

    def _gathered(self) -> list[Exposure]:
        some: list[Exposure] = []
        with suppress(IndexError):  # empty, perhaps because another thread is writing too
            while len(some) < _TOGETHER:
                some.append(self._waiting.popleft())
        return some

    def _written(self, some: Sequence[Exposure], place: Future[Place]) -> None:
        error = place.exception()
        if error is None:
            metrics.exposures("written", len(some))
        else:
            self._lost(some, error)

    def _lost(self, some: Sequence[Exposure], error: BaseException) -> None:
        metrics.exposures("lost", len(some))
        _log.warning("exposures not written", exposures=len(some), reason=str(error))
        for one in some:
            for remembered in (self._young, self._old):
                remembered.pop(_Key(one.experiment, one.user_id), None)

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            if self._waiting:
                await asyncio.to_thread(self.write)


async def exposures_of(request: Request) -> Exposures:
    """A dependency: what this application showed."""
    return request.app.state.exposures
