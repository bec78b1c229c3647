"""How many cores this process may use, and work that is done on all of them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def cores() -> int:
    """Those it was given, where the system says so; a container may have fewer than its machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(make: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
    """`make` of each, on all cores, in the order given; a few are held at a time.

    For work that leaves Python's lock, as NumPy's and Arrow's does. What `make` raises is raised when its
    turn comes; what was not begun then is not made.
    """
    with ThreadPoolExecutor(cores()) as pool:
        waiting: deque[Future[Made]] = deque()
        try:
            for one in given:
                waiting.append(pool.submit(make, one))
                if len(waiting) > cores():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
