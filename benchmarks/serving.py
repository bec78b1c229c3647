"""How fast the API is beside a bare FastAPI route: `python -m benchmarks.serving`, or `make bench-serving`.

Both run with one worker on this machine and take short turns: the route of `bare_route.py`, and
`GET /api/v1/users/{id}/recommendations` with everything on (keys, limits, log, metrics, request ids) for
random users of a real release whose answers were multiplied to 100,000 users; then once more, while
releases are swapped and rolled back. What other work on the machine costs falls on neighbouring turns
alike, so each ratio is that of a round, and the median round counts. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.load import Load, put_on
from benchmarks.page import Section, prose, table, wanted, write
from marketing_platform.access import Scope
from marketing_platform.access.api_settings import api_secret
from marketing_platform.access.issuing import issue
from marketing_platform.cli.processes import api_command, free_port, running, wait_for
from marketing_platform.cli.run import run_pipeline
from marketing_platform.recommenders.answers import ANSWER_SCHEMA
from marketing_platform.recommenders.prepared import PRODUCT_LISTS
from marketing_platform.releases.manifest import AnswersEntry, Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.records import open_records
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform.stores.registry import Stores, open_stores

_START_SECONDS = 60
_SWAP_SECONDS = 2.0  # between moves of the pointer
_CHUNK = 5_000
_CONNECTIONS = 100
_SAMPLE = 101  # users whose answers tell how long one typically is
_NO_LIMIT = 1_000_000_000
_COLUMNS = ("", "requests/s", "p50 ms", "p99 ms", "failed in all")

console = Console(stderr=True)


@dataclass(frozen=True)
class Shelf:
    """A data folder whose releases know many users."""

    settings: Settings
    releases: Sequence[str]  # the last is current
    users: Sequence[str]


@dataclass(frozen=True)
class Round:
    """One turn of each."""

    bare: Load
    api: Load
    swapping: Load


def released(settings: Settings) -> None:
    """A real release, of the sample."""
    write_sample(settings.landing_dir)
    run_pipeline(settings, quiet=True)


def multiplied(settings: Settings, users: int, *, releases: int = 2) -> Shelf:
    """More releases after the first one, in which its users stand for `users` with answers of their own."""
    shelf, stores = open_records(settings).shelf, open_stores(settings)
    made = shelf.load(shelf.current() or "")
    known, names = _users(stores, made), [f"u-{number:06d}" for number in range(users)]
    published = [_publish(shelf, stores, made, number + 1, names, known) for number in range(releases)]
    return Shelf(settings, published, names)


def _users(stores: Stores, made: Manifest) -> list[str]:
    entry = made.tables["users"]
    ref = TableRef("users", entry.parts, pa.schema([("user_id", pa.string())]))
    return stores.warehouse.query(Select("SELECT user_id FROM users ORDER BY user_id", [ref]))[
        "user_id"
    ].to_pylist()


def _publish(
    shelf: ReleaseShelf,
    stores: Stores,
    made: Manifest,
    number: int,
    names: Sequence[str],
    known: Sequence[str],
) -> str:
    """The release `made` with recommended products for all of `names`; returns its id."""
    name = f"{PRODUCT_LISTS}__many{number}"
    rows = stores.answers.write(name, _many(stores, made.answers[PRODUCT_LISTS].name, names, known))
    answers = {**made.answers, PRODUCT_LISTS: AnswersEntry(name=name, rows=rows)}
    manifest = made.model_copy(
        update={"release_id": f"{made.release_id}-{number}", "answers": answers, "previous": shelf.current()}
    )
    shelf.publish(manifest, expected=shelf.current())
    return manifest.release_id


def _many(stores: Stores, name: str, names: Sequence[str], known: Sequence[str]) -> Iterator[pa.Table]:
    reader = stores.answers.open(name)
    try:
        bodies = [(user, reader.get(user)) for user in known]
        given = [(json.dumps(user).encode(), body) for user, body in bodies if body is not None]
        turns = iter(zip(names, cycle(given), strict=False))
        while chunk := list(islice(turns, _CHUNK)):
            answers = [body.replace(user, json.dumps(new).encode()) for new, (user, body) in chunk]
            yield pa.table({"key": [new for new, _ in chunk], "answer": answers}, schema=ANSWER_SCHEMA)
    finally:
        reader.close()


@contextmanager
def bare(body: bytes) -> Generator[int]:
    """The bare route; yields its port."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.bare_route", file.name, str(port)]
        with _serving("the bare route", command, port, Settings(), "/openapi.json"):  # pyright: ignore[reportCallIssue]
            yield port


@contextmanager
def ours(settings: Settings) -> Generator[int]:
    """The API with everything on, limits so high that none is met; yields its port."""
    os.environ.update({f"MARKETING_LIMIT_{name}": str(_NO_LIMIT) for name in ("BURST", "SUSTAINED")})
    port = free_port()
    with _serving("the API", api_command("127.0.0.1", port), port, settings, "/health/ready"):
        yield port


@contextmanager
def _serving(name: str, command: Sequence[str], port: int, settings: Settings, path: str) -> Generator[None]:
    with running({name: command}, settings, log=Path("/dev/null")) as processes:
        wait_for(f"http://127.0.0.1:{port}{path}", processes[name], seconds=_START_SECONDS)
        yield


@contextmanager
def swapping(shelf: Shelf) -> Generator[None]:
    """Move the pointer to the other release and back again, every two seconds."""
    ending, records = threading.Event(), open_records(shelf.settings).shelf

    def swap() -> None:
        while not ending.wait(_SWAP_SECONDS):
            here = records.current()
            there = next(each for each in shelf.releases if each != here)
            records.move(there, expected=here, why="benchmark", who="benchmark")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def measured(shelf: Shelf, key: str, *, rounds: int, seconds: float) -> list[Round]:
    """The bare route, the API, and the API while releases swap, in turns."""
    with ours(shelf.settings) as mine, bare(_typical_answer(mine, shelf, key)) as theirs:
        found: list[Round] = []
        for number in range(rounds):
            console.log(f"round {number + 1} of {rounds}")
            bare_load, api = (_asked(port, shelf, key, seconds) for port in (theirs, mine))
            with swapping(shelf):
                found.append(Round(bare_load, api, _asked(mine, shelf, key, seconds)))
    return found


def _typical_answer(port: int, shelf: Shelf, key: str) -> bytes:
    """An answer of median length: what the bare route is to return."""
    answers: list[bytes] = []
    for user in shelf.users[:_SAMPLE]:
        url = f"http://127.0.0.1:{port}/api/v1/users/{user}/recommendations"
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            answers.append(answer.read())
    return sorted(answers, key=len)[_SAMPLE // 2]


def key_of(settings: Settings, *scopes: Scope) -> str:
    """A key like an application's."""
    key, _ = issue(
        open_records(settings).keys,
        api_secret(settings),
        name="benchmark",
        owner="benchmark",
        scopes=scopes,
        lifetime=timedelta(days=1),
        who="benchmark",
        now=datetime.now(UTC),
    )
    return key


def _asked(port: int, shelf: Shelf, key: str, seconds: float) -> Load:
    return put_on(port, shelf.users, key=key, connections=_CONNECTIONS, seconds=seconds)


def _rows(found: Sequence[Round]) -> list[list[str]]:
    return [
        [
            name,
            f"{median(load.per_s for load in loads):,.0f}",
            f"{median(load.p50_ms for load in loads):.1f}",
            f"{median(load.p99_ms for load in loads):.1f}",
            str(sum(load.failed for load in loads)),
        ]
        for name, loads in (
            ("bare route, the same bytes", [each.bare for each in found]),
            ("API, everything on", [each.api for each in found]),
            ("API, releases swapping", [each.swapping for each in found]),
        )
    ]


def _ratios(found: Sequence[Round]) -> dict[str, float]:
    """The median of the rounds' own ratios."""
    return {
        "throughput_ratio": round(median(each.api.per_s / each.bare.per_s for each in found), 3),
        "p99_ratio": round(median(each.api.p99_ms / each.bare.p99_ms for each in found), 3),
        "swap_failed": sum(each.swapping.failed for each in found),
        "swap_p99_ratio": round(median(each.swapping.p99_ms / each.api.p99_ms for each in found), 3),
    }


def section(found: Sequence[Round], users: int) -> tuple[str, str, str]:
    """What the page says: how it was measured, a table, the ratios."""
    ratios = _ratios(found)
    told = f"""One worker each, {_CONNECTIONS} connections, random users of {users:,}, `wrk` on the same
        machine. The bare route is FastAPI's and returns the same bytes without any of the rest; the API has
        keys, limits, log, metrics and request ids on. They take turns, {len(found)} rounds; each line is the
        median round. In the last line a new release is published and rolled back all the while."""
    compared = f"""Ratios of the same round, the median of the rounds: requests/s
        {ratios["throughput_ratio"]:.3f}, p99 {ratios["p99_ratio"]:.3f}; p99 while releases swap beside p99
        without, {ratios["swap_p99_ratio"]:.3f}."""
    return prose(told), table(_COLUMNS, _rows(found)), prose(compared)


def main() -> None:
    """Run everything, print the table, end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000, help="users of the releases (100000)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each (7)")
    parser.add_argument("--seconds", type=float, default=5, help="of each turn (5)")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    given = parser.parse_args()
    load = wanted()
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as folder:
        settings = Settings(data_dir=Path(folder))  # pyright: ignore[reportCallIssue]
        console.log("making a release")
        released(settings)
        shelf = multiplied(settings, given.users)
        found = measured(
            shelf, key_of(settings, Scope.READ_RECOMMENDATIONS), rounds=given.rounds, seconds=given.seconds
        )
    shown = Table(*_COLUMNS, title=f"Recommendations, one worker, {_CONNECTIONS} connections")
    for row in _rows(found):
        shown.add_row(*row)
    console.print(shown)
    if given.write_docs:
        write(Section.SERVING, *section(found, given.users), load=load)
    print(json.dumps(_ratios(found)))


if __name__ == "__main__":
    main()
