"""The lock of the one run that may write to a data folder.

The kernel gives the lock back when its process ends, however it ends, so a killed run never
keeps the next one out.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from marketing_platform.errors import StoreBusy

_LOOK_AGAIN = 0.5  # seconds


@contextmanager
def single_writer(
    path: Path, *, wait_seconds: float = 3600, on_wait: Callable[[str], None] | None = None
) -> Generator[None]:
    """Hold the lock at `path` during the block; StoreBusy when it is not free within `wait_seconds`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with path.open("a+") as lock:
        told = False
        while not _try(lock.fileno()):
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            if time.monotonic() >= deadline:
                raise StoreBusy(f"process {holder} is writing to {path.parent}; wait for it, then try again")
            if on_wait and not told:
                on_wait(f"waiting for process {holder}, which is writing to {path.parent}")
                told = True
            time.sleep(_LOOK_AGAIN)
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
