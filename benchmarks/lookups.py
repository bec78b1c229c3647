"""Look-ups beside the number of users: `python -m benchmarks.lookups`, or `make bench-lookups`.

For each number of users a release whose recommended products are those of the sample's users, under as many
names as there are to be users, and one API process over it. One client asks for users at random, over one
connection, first after the system was told to forget the file of answers, then for the same users again; then
the store is asked itself, without the API. Sizes take turns. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console

from benchmarks.page import Section, prose, table, wanted, write
from benchmarks.serving import Shelf, key_of, multiplied, ours, released
from marketing_platform.access import Scope
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from serving.releases import PRODUCTS

USERS = (10_000, 1_000_000)
_TIMEOUT = 30.0

console = Console(stderr=True)


@dataclass
class Asked:
    """The seconds of all look-ups of one kind at one size."""

    seconds: list[float] = field(default_factory=list[float])

    @property
    def p50(self) -> float:
        """Seconds within which half of them were answered."""
        return median(self.seconds)

    @property
    def p95(self) -> float:
        """Seconds within which 95 % of them were answered."""
        return quantiles(self.seconds, n=20)[-1]


@dataclass
class Size:
    """One number of users."""

    users: int
    bytes_on_disk: int
    cold: Asked = field(default_factory=Asked)
    warm: Asked = field(default_factory=Asked)
    store: Asked = field(default_factory=Asked)


def measured(folder: Path, users: Sequence[int], *, rounds: int, lookups: int) -> list[Size]:
    """All sizes, each in a data folder of its own, the smallest first."""
    sample = folder / "sample"
    released(_settings(sample))
    with ExitStack() as running:
        servers: list[tuple[Size, Shelf, http.client.HTTPConnection, str]] = []
        for count in sorted(users):
            console.log(f"{count:,} users: making answers")
            data_dir = shutil.copytree(sample, folder / str(count), symlinks=True)
            shelf = multiplied(_settings(data_dir), count, releases=1)
            port = running.enter_context(ours(shelf.settings))
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
            running.callback(connection.close)
            key = key_of(shelf.settings, Scope.READ_RECOMMENDATIONS)
            size = Size(count, sum(path.stat().st_size for path in _files(shelf)))
            servers.append((size, shelf, connection, key))
        for number in range(rounds):
            console.log(f"round {number + 1} of {rounds}")
            for size, shelf, connection, key in servers:
                _round(size, shelf, connection, key, random.Random(number).sample(shelf.users, lookups))
    return [size for size, *_ in servers]


def _round(
    size: Size, shelf: Shelf, connection: http.client.HTTPConnection, key: str, users: Sequence[str]
) -> None:
    for path in _files(shelf):
        _forget(path)

    def ask(user: str) -> None:
        connection.request(
            "GET", f"/api/v1/users/{user}/recommendations", headers={"Authorization": f"Bearer {key}"}
        )
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == http.client.OK, (answer.status, body)

    size.cold.seconds += _timed(ask, users)
    size.warm.seconds += _timed(ask, users)
    reader = open_stores(shelf.settings).answers.open(_name(shelf))
    try:
        _timed(reader.get, users)  # this process maps the pages, which the API did for itself
        size.store.seconds += _timed(reader.get, users)
    finally:
        reader.close()


def _timed(ask: Callable[[str], object], users: Sequence[str]) -> list[float]:
    found: list[float] = []
    for user in users:
        began = time.perf_counter()
        ask(user)
        found.append(time.perf_counter() - began)
    return found


def _name(shelf: Shelf) -> str:
    return open_records(shelf.settings).shelf.load(shelf.releases[-1]).answers[PRODUCTS].name


def _files(shelf: Shelf) -> list[Path]:
    """Where the answers that are asked for lie."""
    return list((shelf.settings.data_dir / "answers" / _name(shelf)).glob("*.sqlite"))


def _forget(path: Path) -> None:
    """Have the system drop the file from its cache; pages that a process has mapped stay."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir)  # pyright: ignore[reportCallIssue]


def section(sizes: Sequence[Size], rounds: int) -> tuple[str, str, str]:
    """What the page says: how it was measured, a table, the ratios."""
    each = len(sizes[0].warm.seconds) // rounds
    told = f"""Recommended products of users at random, one client over one connection of one API process,
        {rounds} rounds of {each:,} users in turns. "Forgotten" are look-ups after the system dropped the file
        of answers from its cache (what the process has mapped stays), "again" the same users once more,
        "store" the same without the API."""
    rows = [
        [
            f"{size.users:,}",
            f"{size.bytes_on_disk / 1e6:,.0f}",
            *(
                f"{seconds * 1e3:.3f}"
                for asked in (size.cold, size.warm, size.store)
                for seconds in (asked.p50, asked.p95)
            ),
        ]
        for size in sizes
    ]
    ratios = [
        f"{name} {found[f'{name}_p50_ratio']:.2f} (p50) and {found[f'{name}_p95_ratio']:.2f} (p95)"
        for found in [document(sizes)]
        for name in ("again", "forgotten", "store")
    ]
    compared = f"""From {sizes[0].users:,} to {sizes[-1].users:,} users latency grows by these factors:
        {"; ".join(ratios)}."""
    return prose(told), table(_HEAD, rows), prose(compared)


_HEAD = (
    *("users", "MB of answers", "forgotten, p50 ms", "p95 ms"),
    *("again, p50 ms", "p95 ms", "store, p50 ms", "p95 ms"),
)


def document(sizes: Sequence[Size]) -> dict[str, float]:
    """Latency at the largest size by that at the smallest, and both in milliseconds."""
    found: dict[str, float] = {}
    for name, kind in (("again", "warm"), ("forgotten", "cold"), ("store", "store")):
        few, many = getattr(sizes[0], kind), getattr(sizes[-1], kind)
        found[f"{name}_p50_ratio"] = round(many.p50 / few.p50, 3)
        found[f"{name}_p95_ratio"] = round(many.p95 / few.p95, 3)
        found[f"{name}_p50_ms"] = round(many.p50 * 1e3, 3)
        found[f"{name}_p95_ms"] = round(many.p95 * 1e3, 3)
    return found


def main() -> None:
    """Measure, print, and write the section of the page when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--users",
        type=lambda text: [int(count) for count in text.split(",")],
        default=list(USERS),
        help="numbers of users, separated by commas (10000,1000000)",
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each size (5)")
    parser.add_argument("--lookups", type=int, default=2_000, help="users of each turn (2000)")
    parser.add_argument("--folder", type=Path, help="where data folders are made (the system's own)")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    given = parser.parse_args()
    load = wanted()
    with tempfile.TemporaryDirectory(prefix="bench-lookups-", dir=given.folder) as temporary:
        sizes = measured(Path(temporary), given.users, rounds=given.rounds, lookups=given.lookups)
    for part in section(sizes, given.rounds):
        print(f"\n{part}")
    if given.write_docs:
        write(Section.LOOKUPS, *section(sizes, given.rounds), load=load)
    print(json.dumps(document(sizes)))


if __name__ == "__main__":
    main()
