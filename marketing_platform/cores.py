"""How many cores this process may use, and work that is done on them in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

Given = TypeVar("Given")
Made = TypeVar("Made")


def cores() -> int:
    """Those it was given, where the system says so; a container may have fewer than its machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    make: Callable[[Given], Made], given: Iterable[Given], *, threads: int | None = None
) -> Iterator[Made]:
    """`make` of each, `threads` at once (on all cores when None), in the order given; one more waits.

    For work that leaves Python's lock, as NumPy's, Arrow's and DuckDB's does. What `make` raises is raised
    when its turn comes; what was not begun then is not made.
    """
    at_once = cores() if threads is None else threads
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(at_once, "in-order") as pool:
        try:
            for one in given:
                waiting.append(pool.submit(make, one))
                if len(waiting) > at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def ahead(given: Iterable[Given]) -> Generator[Given]:
    """The same in the same order, each made while the one before is worked on.

    What making one raises is raised when its turn comes.
    """
    source = iter(given)
    end = object()
    with ThreadPoolExecutor(1, "ahead") as pool:
        coming = pool.submit(next, source, end)
        while (one := coming.result()) is not end:
            coming = pool.submit(next, source, end)
            yield cast(Given, one)
