"""Work on chunks in several threads, in order and with few of them in memory.

Worth it where the work is Arrow's, DuckDB's or a compression's, which all let go of the interpreter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")
_END = object()


def in_order(work: Callable[[Item], Done], items: Iterable[Item], *, threads: int) -> Iterator[Done]:
    """`work` on each item, at most `threads` at once, in order of the items; at most one more waits."""
    waiting: deque[Future[Done]] = deque()
    with ThreadPoolExecutor(threads, "chunks") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items; while one is used, the next is made."""
    source = iter(items)
    with ThreadPoolExecutor(1, "ahead") as pool:
        following = pool.submit(next, source, _END)
        while (item := following.result()) is not _END:
            following = pool.submit(next, source, _END)
            yield item  # type: ignore[misc]
