"""Chunks that are made while the one before is used; work on all cores in order is in `cores.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items; while one is used, the next is made.

    Worth it where the making is Arrow's, DuckDB's or a compression's, which let go of the interpreter.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "ahead") as pool:
        following = pool.submit(next, source, _END)
        while (item := following.result()) is not _END:
            following = pool.submit(next, source, _END)
            yield item  # type: ignore[misc]
