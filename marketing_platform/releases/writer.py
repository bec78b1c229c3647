"""The lock of whoever writes: one run, or several that may stand side by side.

It is given back when its process ends, however it ends, so a killed run never keeps the next one
out. Who may share it is the callers' decision: runs that only add batches may, whatever publishes,
collects or changes a decision may not (docs/decisions/0011-records-on-postgresql.md).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from marketing_platform.errors import StoreBusy

_LOOK_AGAIN = 0.5  # seconds


class LockSession(Protocol):
    """One process's claim on the lock."""

    def take(self, *, shared: bool, wait_seconds: float) -> bool:
        """Take the lock, with others that share it or alone; False when it is not free in time."""
        ...

    def holder(self) -> str:
        """Who has the lock, as messages name them."""
        ...

    def confirm(self) -> None:
        """StoreUnavailable when the lock was lost since it was taken."""
        ...


class WriterLock:
    """The lock of one installation; `session` makes a claim that ends with its block."""

    def __init__(self, where: str, session: Callable[[], AbstractContextManager[LockSession]]) -> None:
        self._where = where
        self._session = session

    @contextmanager
    def held(
        self,
        *,
        shared: bool = False,
        wait_seconds: float = 3600,
        on_wait: Callable[[str], None] | None = None,
    ) -> Generator[LockSession]:
        """Hold the lock during the block; StoreBusy when it is not free within `wait_seconds`."""
        with self._session() as session:
            if not session.take(shared=shared, wait_seconds=0):
                if on_wait:
                    on_wait(f"waiting for process {session.holder()}, which is writing to {self._where}")
                if not session.take(shared=shared, wait_seconds=wait_seconds):
                    raise StoreBusy(
                        f"process {session.holder()} is writing to {self._where}; wait for it, then try again"
                    )
            yield session


def folder_lock(path: Path) -> WriterLock:
    """The lock at `path`, for processes of one machine.

    Nobody shares it: SQLite, behind Dagster and the documents, takes one run at a time.
    """

    @contextmanager
    def session() -> Generator[LockSession]:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as lock:
            yield _FileSession(lock)

    return WriterLock(str(path.parent), session)


class _FileSession:
    def __init__(self, lock: TextIO) -> None:
        self._lock = lock

    def take(self, *, shared: bool, wait_seconds: float) -> bool:
        deadline = time.monotonic() + wait_seconds
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_AGAIN)
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        return True

    def holder(self) -> str:
        self._lock.seek(0)
        return self._lock.read().strip() or "unknown"

    def confirm(self) -> None:
        """The kernel takes no lock away."""

    def _try(self) -> bool:
        try:
            fcntl.flock(self._lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
