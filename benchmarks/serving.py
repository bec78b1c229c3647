"""How fast the API is beside a bare FastAPI route: `python -m benchmarks.serving`, or `make bench-serving`.

Both run with one worker on this machine and take turns: the route of `bare_route.py`, and
`GET /api/v1/users/{id}/recommendations` with everything on (keys, limits, log, metrics, request ids) for
random users of a real release whose answers were multiplied to 100,000 users. Then releases are swapped
and rolled back under load. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.load import Load, median, put_on
from marketing_platform.access import Scope
from marketing_platform.access.api_settings import api_secret
from marketing_platform.access.issuing import issue
from marketing_platform.cli.processes import api_command, free_port, running, wait_for
from marketing_platform.cli.run import run_pipeline
from marketing_platform.recommenders.answers import ANSWER_SCHEMA
from marketing_platform.recommenders.prepared import EVERYONE
from marketing_platform.releases.manifest import AnswersEntry, Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.records import open_records
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform.stores.registry import Stores, open_stores
from serving.releases import PRODUCTS

_START_SECONDS = 60
_SWAP_SECONDS = 2.0  # between moves of the pointer
_CHUNK = 5_000
_CONNECTIONS = 100
_NO_LIMIT = 1_000_000_000

console = Console(stderr=True)


@dataclass(frozen=True)
class Shelf:
    """A data folder whose releases know many users."""

    settings: Settings
    releases: tuple[str, str]  # the second is current
    users: Sequence[str]
    body: bytes  # of the median length


def multiplied(settings: Settings, users: int) -> Shelf:
    """One real release, and two more in which its users stand for `users` users with answers of their own."""
    write_sample(settings.landing_dir)
    run_pipeline(settings, quiet=True)
    shelf, stores = open_records(settings).shelf, open_stores(settings)
    made = shelf.load(shelf.current() or "")
    known, names = _users(stores, made), [f"u-{number:06d}" for number in range(users)]
    first, second = (_publish(shelf, stores, made, number, names, known) for number in (1, 2))
    reader = stores.answers.open(made.answers[PRODUCTS].name)
    bodies = sorted((reader.get(user) or b"" for user in known), key=len)
    reader.close()
    return Shelf(settings, (first, second), names, bodies[len(bodies) // 2])


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
    """The release `made` for all of `names`; returns its id."""
    entries: dict[str, AnswersEntry] = {}
    for kind, entry in made.answers.items():
        name = f"{kind}__many{number}"
        rows = stores.answers.write(name, _many(stores, entry.name, names, known))
        entries[kind] = AnswersEntry(name=name, rows=rows)
    manifest = made.model_copy(
        update={"release_id": f"{made.release_id}-{number}", "answers": entries, "previous": shelf.current()}
    )
    shelf.publish(manifest, expected=shelf.current())
    return manifest.release_id


def _many(stores: Stores, name: str, names: Sequence[str], known: Sequence[str]) -> Iterator[pa.Table]:
    reader = stores.answers.open(name)
    try:
        bodies = [(user, reader.get(user)) for user in known]
        given = [(json.dumps(user).encode(), body) for user, body in bodies if body is not None]
        if (of_all := reader.get(EVERYONE)) is not None:
            yield pa.table({"key": [EVERYONE], "answer": [of_all]}, schema=ANSWER_SCHEMA)
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
        for there in cycle(shelf.releases):
            if ending.wait(_SWAP_SECONDS):
                return
            records.move(there, expected=records.current(), why="benchmark", who="benchmark")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def measured(shelf: Shelf, key: str, *, rounds: int, seconds: float) -> dict[str, Load]:
    """The bare route and the API in turns (the median round of each), then the API while releases swap."""
    found: dict[str, list[Load]] = {"bare route": [], "API": []}
    with bare(shelf.body) as theirs, ours(shelf.settings) as mine:
        for number in range(rounds):
            for name, port in (("bare route", theirs), ("API", mine)):
                console.log(f"round {number + 1} of {rounds}: {name}")
                found[name].append(_asked(port, shelf, key, seconds))
        console.log("the API while releases are swapped and rolled back")
        with swapping(shelf):
            swapped = _asked(mine, shelf, key, 2 * seconds)
    return {**{name: median(loads) for name, loads in found.items()}, "API, releases swapping": swapped}


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


def _table(found: Mapping[str, Load]) -> Table:
    table = Table(title=f"Recommendations, one worker, {_CONNECTIONS} connections", title_justify="left")
    for column in ("", "requests/s", "p50 ms", "p99 ms", "failed"):
        table.add_column(column, justify="right" if column else "left")
    for name, load in found.items():
        table.add_row(
            name, f"{load.per_s:,.0f}", f"{load.p50_ms:.1f}", f"{load.p99_ms:.1f}", str(load.failed)
        )
    return table


def main() -> None:
    """Run everything, print the table, end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000, help="users of the releases (100000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side (3)")
    parser.add_argument("--seconds", type=float, default=10, help="of each turn (10)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as folder:
        settings = Settings(data_dir=Path(folder))  # pyright: ignore[reportCallIssue]
        console.log("making a release")
        shelf = multiplied(settings, given.users)
        found = measured(
            shelf, key_of(settings, Scope.READ_RECOMMENDATIONS), rounds=given.rounds, seconds=given.seconds
        )
    console.print(_table(found))
    theirs, mine, swapped = found.values()
    print(
        json.dumps(
            {
                "throughput_ratio": round(mine.per_s / theirs.per_s, 3),
                "p99_ratio": round(mine.p99_ms / theirs.p99_ms, 3),
                "swap_failed": swapped.failed,
                "swap_p99_ratio": round(swapped.p99_ms / mine.p99_ms, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
