"""Look-ups beside the number of users: `python -m benchmarks.lookups`, or `make bench-lookups`.

For each number of users a release whose recommended products are those of the sample's users, under as many
names as there are to be users, and one API process over it. One client asks for users at random, over one
connection, first after the system was told to forget the file of answers, then for the same users again; then
the store is asked itself, without the API. Sizes take turns, look-up by look-up. The last line is one JSON
object.
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
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import psutil
from rich.console import Console

from benchmarks.page import Section, prose, table, wanted, write
from benchmarks.serving import Shelf, key_of, multiplied, ours, released
from marketing_platform.access import Scope
from marketing_platform.recommenders.prepared import PRODUCT_LISTS
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores

USERS = (10_000, 1_000_000)
_TIMEOUT = 30.0

console = Console(stderr=True)


@dataclass
class Asked:
    """All look-ups of one kind at one size: the seconds of each, and of CPU of whom was asked together."""

    seconds: list[float] = field(default_factory=list[float])
    cpu_seconds: float = 0.0

    @property
    def p50(self) -> float:
        """Seconds within which half of them were answered."""
        return median(self.seconds)

    @property
    def p95(self) -> float:
        """Seconds within which 95 % of them were answered."""
        return quantiles(self.seconds, n=20)[-1]

    @property
    def cpu_each(self) -> float:
        """Seconds of CPU of one, which other work on the machine hardly changes."""
        return self.cpu_seconds / len(self.seconds)


@dataclass
class Size:
    """One number of users."""

    users: int
    bytes_on_disk: int
    cold: Asked = field(default_factory=Asked)
    warm: Asked = field(default_factory=Asked)
    store: Asked = field(default_factory=Asked)


@dataclass(frozen=True)
class Server:
    """The API over one number of users."""

    shelf: Shelf
    port: int
    api: psutil.Process
    key: str

    @contextmanager
    def asked(self) -> Generator[Callable[[str], None]]:
        """A connection: asks for a user; one per round, since the API closes a connection that is idle."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT)
        headers = {"Authorization": f"Bearer {self.key}"}

        def ask(user: str) -> None:
            connection.request("GET", f"/api/v1/users/{user}/recommendations", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == http.client.OK, (answer.status, body)

        try:
            yield ask
        finally:
            connection.close()

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the API has had."""
        times = self.api.cpu_times()
        return times.user + times.system


def measured(folder: Path, users: Sequence[int], *, rounds: int, lookups: int) -> list[Size]:
    """All sizes, each in a data folder of its own, the smallest first."""
    sample = folder / "sample"
    released(_settings(sample))
    with ExitStack() as running:
        servers: list[tuple[Size, Server]] = []
        for count in sorted(users):
            console.log(f"{count:,} users: making answers")
            data_dir = shutil.copytree(sample, folder / str(count), symlinks=True)
            shelf = multiplied(_settings(data_dir), count, releases=1)
            others = set(psutil.Process().children())
            port = running.enter_context(ours(shelf.settings))
            (api,) = set(psutil.Process().children()) - others
            key = key_of(shelf.settings, Scope.READ_RECOMMENDATIONS)
            size = Size(count, sum(path.stat().st_size for path in _files(shelf)))
            servers.append((size, Server(shelf, port, api, key)))
        sides, found = [server for _, server in servers], [size for size, _ in servers]
        # What a process does once, when it starts and is asked for the first time, is not measured.
        _round(sides, [Size(0, 0) for _ in sides], random.Random(rounds), lookups)
        for number in range(rounds):
            console.log(f"round {number + 1} of {rounds}")
            _round(sides, found, random.Random(number), lookups)
    return found


def _round(servers: Sequence[Server], sizes: Sequence[Size], chance: random.Random, lookups: int) -> None:
    """Ask every server, and every store, for users of its own."""
    users = [chance.sample(server.shelf.users, lookups) for server in servers]
    for server in servers:
        for path in _files(server.shelf):
            _forget(path)
    with ExitStack() as open_now:
        asks = [open_now.enter_context(server.asked()) for server in servers]
        for kinds in ([size.cold for size in sizes], [size.warm for size in sizes]):
            before = [server.cpu for server in servers]
            _in_turns(kinds, asks, users)
            for kind, server, cpu in zip(kinds, servers, before, strict=True):
                kind.cpu_seconds += server.cpu - cpu
        stores = [(open_stores(one.shelf.settings).answers, _name(one.shelf)) for one in servers]
        readers = [open_now.enter_context(closing(answers.open(name))) for answers, name in stores]
        gets = [reader.get for reader in readers]
        _in_turns([Asked() for _ in servers], gets, users)  # maps the pages, as the API has done
        _in_turns([size.store for size in sizes], gets, users)


def _in_turns(
    kinds: Sequence[Asked], asks: Sequence[Callable[[str], object]], users: Sequence[Sequence[str]]
) -> None:
    """One look-up of each after the other, so that what else runs on the machine delays all alike."""
    for turn in zip(*users, strict=True):
        for asked, ask, user in zip(kinds, asks, turn, strict=True):
            began = time.perf_counter()
            ask(user)
            asked.seconds.append(time.perf_counter() - began)


def _name(shelf: Shelf) -> str:
    return open_records(shelf.settings).shelf.load(shelf.releases[-1]).answers[PRODUCT_LISTS].name


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
        {rounds} rounds of {each:,} users, the sizes taking turns look-up by look-up. "Forgotten" are look-ups
        after the system dropped the file of answers from its cache (what the process has mapped stays),
        "again" the same users once more, "store" the same without the API."""
    rows = [
        [
            f"{size.users:,}",
            f"{size.bytes_on_disk / 1e6:,.0f}",
            *(
                f"{seconds * 1e3:.3f}"
                for asked in (size.cold, size.warm, size.store)
                for seconds in (asked.p50, asked.p95)
            ),
            f"{size.warm.cpu_each * 1e3:.3f}",
        ]
        for size in sizes
    ]
    ratios = [
        f"{name} {found[f'{name}_p50_ratio']:.2f} (p50) and {found[f'{name}_p95_ratio']:.2f} (p95)"
        for found in [document(sizes)]
        for name in ("again", "forgotten", "store")
    ]
    compared = f"""From {sizes[0].users:,} to {sizes[-1].users:,} users latency grows by these factors:
        {"; ".join(ratios)}. CPU of the API per look-up, which other work hardly changes, grows by
        {document(sizes)["cpu_ratio"]:.2f}."""
    return prose(told), table(_HEAD, rows), prose(compared)


_HEAD = (
    *("users", "MB of answers", "forgotten, p50 ms", "p95 ms"),
    *("again, p50 ms", "p95 ms", "store, p50 ms", "p95 ms", "again, CPU ms of the API"),
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
    found["cpu_ratio"] = round(sizes[-1].warm.cpu_each / sizes[0].warm.cpu_each, 3)
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
