"""Runs parts of a contract in other processes; what runs there is a function of a test module."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Event
from time import sleep
from typing import Any

import pyarrow as pa

_SPAWN = multiprocessing.get_context("spawn")
_PATIENCE_SECONDS = 60


def in_another_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns there."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        return pool.submit(function, *arguments).result(timeout=_PATIENCE_SECONDS)


def killed_half_way(function: Callable[..., Any], *arguments: Any) -> None:
    """Start `function(*arguments, half_way)` there and `kill -9` it once it sets that event."""
    half_way = _SPAWN.Event()
    process = _SPAWN.Process(target=function, args=(*arguments, half_way))
    process.start()
    try:
        assert half_way.wait(_PATIENCE_SECONDS)
    finally:
        process.kill()
        process.join()


def then_hang(chunk: Any, half_way: Event) -> Iterator[Any]:
    """One chunk; whoever asks for the next one never gets it."""
    yield chunk
    half_way.set()
    sleep(_PATIENCE_SECONDS)


# Ids and texts that break naive quoting, joining and encoding.
AWKWARD = [
    "plain",
    "O'Brien",
    'say "hi"',
    "ünïcødé 🙂",
    "a:b@c/d",
    "tab\there",
    "new\nline",
    "$limit {x} `y`",
    "\\",
]


def one_row_per_chunk(rows: pa.Table) -> Iterator[pa.Table]:
    """The same rows in the smallest chunks."""
    for row in range(rows.num_rows):
        yield rows.slice(row, 1)
