"""What one API process takes per request, and what its callers wait for when requests come at random.

One process with everything on, over a real release whose answers were multiplied (`serving.py`). CPU time is
the process's own, from the kernel. Latency is counted from when a request should have been sent, so that a
queue before the API counts as well.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.capacity_queue import Latency, poisson, summary
from benchmarks.serving import Shelf, key_of, multiplied, ours, released
from marketing_platform.access import Scope
from marketing_platform.settings import Settings

LOOK_UP = "a user's recommendations"
PATHS = {
    LOOK_UP: "/api/v1/users/{user}/recommendations",
    "a user's similar users": "/api/v1/users/{user}/similar",
    "fifty rows of a table (DuckDB)": "/analytics/user-engagement?limit=50",
    "a user's campaigns in the graph (Ladybug)": "/graph/user-campaigns?user_id={user}",
}
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_USERS, _ASKED, _WARM = 10_000, 1_500, 200
_LOADS, _SECONDS = (0.2, 0.4, 0.6), 8.0  # of what one request at a time comes to
_CONNECTIONS = 200


@dataclass(frozen=True)
class Question:
    """What one kind of request takes, asked one at a time."""

    cpu_ms: float
    quantiles_ms: tuple[float, ...]  # of the latency: .5 %, 1.5 %, … 99.5 %


@dataclass(frozen=True)
class OpenLoad:
    """Requests that came at random, `rate` a second whatever the API did."""

    rate: float
    latency: Latency
    failed: int


@dataclass(frozen=True)
class ApiFigures:
    """Everything measured of one process."""

    questions: Mapping[str, Question]
    loads: tuple[OpenLoad, ...]


def measured(folder: Path) -> ApiFigures:
    """Each kind of question alone, then the look-up at several rates."""
    settings = Settings(data_dir=folder)  # pyright: ignore[reportCallIssue]
    released(settings)
    shelf = multiplied(settings, _USERS)
    key = key_of(shelf.settings, Scope.READ_RECOMMENDATIONS, Scope.READ_ANALYTICS)
    with ours(shelf.settings) as port:
        (server,) = psutil.Process().children()
        known = [f"u-{number:06d}" for number in range(1, 300)]
        questions = {
            name: _one_at_a_time(port, path, shelf.users if name == LOOK_UP else known, key, server)
            for name, path in PATHS.items()
        }
        service = float(np.mean(questions[LOOK_UP].quantiles_ms)) / 1000
        loads = tuple(asyncio.run(_at_random(port, shelf, key, load / service)) for load in _LOADS)
    return ApiFigures(questions, loads)


def _one_at_a_time(port: int, path: str, users: Sequence[str], key: str, server: psutil.Process) -> Question:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    chosen = random.Random(1)

    def ask() -> float:
        begun = time.perf_counter()
        connection.request("GET", path.format(user=chosen.choice(users)), headers=_headers(key))
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{path} answered {answer.status}")
        return (time.perf_counter() - begun) * 1000

    for _ in range(_WARM):
        ask()
    before = _cpu(server)
    latencies = [ask() for _ in range(_ASKED)]
    spent = _cpu(server) - before
    connection.close()
    return Question(
        round(spent * 1000 / _ASKED, 4),
        tuple(round(float(one), 4) for one in np.percentile(latencies, np.arange(0.5, 100))),
    )


def _cpu(server: psutil.Process) -> float:
    times = [one.cpu_times() for one in (server, *server.children(recursive=True))]
    return sum(each.user + each.system for each in times)


async def _at_random(port: int, shelf: Shelf, key: str, rate: float) -> OpenLoad:
    count = int(rate * _SECONDS)
    due = np.cumsum(poisson(rate)(np.random.default_rng(1), count))
    chosen = random.Random(2)
    # The one that was used last is used next, so that few are idle for so long that the API closes them.
    pool: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()
    for _ in range(_CONNECTIONS):
        pool.put_nowait(None)
    latencies = np.zeros(count)
    failed = 0
    begun = time.perf_counter()

    async def ask(number: int) -> None:
        nonlocal failed
        connection = await pool.get()
        if connection is None or connection[0].at_eof():
            connection = await asyncio.open_connection("127.0.0.1", port)
        path = PATHS[LOOK_UP].format(user=chosen.choice(shelf.users))
        if not await _asked(connection, path, key):
            failed += 1
        pool.put_nowait(connection)
        latencies[number] = time.perf_counter() - begun - due[number]

    tasks: list[asyncio.Task[None]] = []
    for number in range(count):
        if (ahead := begun + due[number] - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        tasks.append(asyncio.create_task(ask(number)))
    await asyncio.gather(*tasks)
    while not pool.empty():
        if (connection := pool.get_nowait()) is not None:
            connection[1].close()
    return OpenLoad(round(rate, 1), summary(latencies[count // 10 :]), failed)


async def _asked(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str, key: str) -> bool:
    reader, writer = connection
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: api",
        *(f"{name}: {value}" for name, value in _headers(key).items()),
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    (length,) = (line for line in head.splitlines() if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return " 200 " in head.splitlines()[0]


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
