"""The thread of a journal: takes what waits as one group, so that one flush to disk serves many writes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from marketing_platform.errors import MarketingPlatformError, StoreBusy, StoreUnavailable
from marketing_platform.ingestion.journal import Entry, Place

_GROUP_ENTRIES = 1_000
_GROUP_BYTES = 8 << 20


class Waiting(NamedTuple):
    """An entry and who waits for it."""

    entry: Entry
    place: Future[Place]


class GroupThread:
    """Calls `commit` with groups of entries, and `idle` at least every `beat` seconds; both in one thread."""

    def __init__(
        self,
        commit: Callable[[Sequence[Waiting]], None],
        idle: Callable[[], None],
        *,
        waiting: int,
        beat: float,
        gather: float = 0.0,
    ) -> None:
        self._commit = commit
        self._idle = idle
        self._beat = beat
        self._gather = gather
        self._queue: queue.Queue[Waiting | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._closed = False

    def start(self) -> None:
        self._thread.start()

    def append(self, entry: Entry) -> Future[Place]:
        """Let the entry be part of the next group; StoreBusy when too many wait."""
        if self._closed:
            raise StoreBusy("the journal of writes is closed; send the request again")
        waiting = Waiting(entry, Future())
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise StoreBusy("too many writes wait to become durable; send the request again later") from None
        return waiting.place

    def close(self) -> None:
        """Commit what waits, and end."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            group, going = self._group()
            if group:
                try:
                    self._commit(group)
                except Exception as error:  # noqa: BLE001 -- those who wait are told, the next group may do better
                    _fail(group, error)
            self._idle()

    def _group(self) -> tuple[list[Waiting], bool]:
        """What waits, the first after at most a beat; and whether there may be more later."""
        group: list[Waiting] = []
        size = 0
        until = time.monotonic() + self._beat
        while len(group) < _GROUP_ENTRIES and size < _GROUP_BYTES:
            try:
                left = until - time.monotonic()
                found = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
            if found is None:
                return group, False
            if not group:
                until = time.monotonic() + self._gather
            if not found.place.set_running_or_notify_cancel():
                continue  # nobody waits any more, and nothing is written yet
            group.append(found)
            size += sum(map(len, found.entry.lines))
        return group, True


def _fail(group: Sequence[Waiting], error: Exception) -> None:
    told = (
        error
        if isinstance(error, MarketingPlatformError)
        else StoreUnavailable(f"writes cannot be made durable: {error}")
    )
    for waiting in group:
        if not waiting.place.done():
            waiting.place.set_exception(told)
