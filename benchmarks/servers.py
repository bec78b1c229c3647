"""How fast the stores write to servers: `python -m benchmarks.servers`, or `make bench-servers`.

Starts every server it needs on loopback, lets the platform and the bare client of each server move the same
data in turns, lets messages go all the way from Kafka to a release, and ends them. Prints a table and, as
its last line, one JSON object. What is moved, and what the bare client does, is said in
`servers_<name>.py`; the table and the page are `servers_page.py`'s.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from benchmarks import (
    servers_gcs,
    servers_kafka,
    servers_milvus,
    servers_mongo,
    servers_neo4j,
    servers_postgres,
)
from benchmarks.pairs import Figures
from benchmarks.servers_page import table, told, write_section
from marketing_platform.stores.objects_gcs import GcsObjects
from marketing_platform_tests.servers import gcs, kafka, milvus, mongo, neo4j, postgres
from marketing_platform_tests.servers.shared import shared

_RELEASED = 1_000_000

console = Console(stderr=True)


@dataclass(frozen=True)
class Benchmark:
    """One comparison: how many pieces it moves unless told, and how to run it."""

    pieces: int
    compare: Callable[[int], Figures]


def _kafka(messages: int) -> Figures:
    landing = gcs.settings(shared(gcs.running))
    return servers_kafka.compare(
        kafka.settings(shared(kafka.running), "none", session_seconds=30, batch_seconds=5),
        lambda name: GcsObjects(landing.model_copy(update={"prefix": f"{name}/"})),
        messages=messages,
    )


def _documents(rows: int) -> Figures:
    return servers_gcs.compare(
        gcs.settings(shared(gcs.running)), mongo.settings(shared(mongo.running)), rows=rows
    )


def _mongo(rows: int) -> Figures:
    return servers_mongo.compare(mongo.settings(shared(mongo.running)), rows=rows)


def _vectors(vectors: int) -> Figures:
    return servers_milvus.compare(milvus.settings(shared(milvus.running).endpoint), vectors=vectors)


def _graph(relations: int) -> Figures:
    return servers_neo4j.compare(neo4j.settings(shared(neo4j.running).endpoint), relations=relations)


def _warehouse(rows: int) -> Figures:
    return servers_postgres.compare(postgres.settings(shared(postgres.running)), rows=rows)


BENCHMARKS: Mapping[str, Benchmark] = {
    "kafka": Benchmark(1_000_000, _kafka),
    "documents": Benchmark(50_000, _documents),
    "mongo": Benchmark(50_000, _mongo),
    "vectors": Benchmark(20_000, _vectors),
    "graph": Benchmark(50_000, _graph),
    "warehouse": Benchmark(200_000, _warehouse),
}


def _to_release(messages: int) -> servers_kafka.ReleaseFigures:
    """From Kafka to a release of the embedded stores, in a new data folder."""
    broker = kafka.settings(shared(kafka.running), "events", batch_seconds=5)
    with TemporaryDirectory(prefix="benchmark-release-") as folder:
        return servers_kafka.to_release(broker, Path(folder), messages=messages)


def document(figures: list[Figures], released: servers_kafka.ReleaseFigures | None) -> dict[str, Any]:
    """The figures as one flat object."""
    return {
        **(asdict(released) if released else {}),
        **{f"{one.key}_ratio": round(one.ratio, 3) for one in figures},
        **{f"{one.key}_per_s": round(one.per_s, 1) for one in figures},
        **{f"{one.key}_reference_per_s": round(one.reference_per_s, 1) for one in figures},
        **{f"{one.key}_pieces": one.amount for one in figures},
    }


def main() -> None:
    """Measure, print, and write the section of the page when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, help="pieces moved by each benchmark, instead of its own number")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="NAME")
    parser.add_argument(
        "--release", type=int, default=_RELEASED, help="messages that go on to a release; 0 leaves it out"
    )
    parser.add_argument("--json-only", action="store_true", help="print the JSON object alone")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    given = parser.parse_args()
    console.quiet = given.json_only
    figures: list[Figures] = []
    for name in given.only:
        benchmark = BENCHMARKS[name]
        pieces = given.rows or benchmark.pieces
        with console.status(f"{name}: {pieces:,} …"):
            figures.append(benchmark.compare(pieces))
        console.print(f"{figures[-1].what}: {figures[-1].ratio:.2f} times the bare client's time")
    released = None
    if given.release:
        with console.status(f"Kafka to a release: {given.release:,} …"):
            released = _to_release(given.release)
    if not given.json_only:
        print(f"\n{table(figures)}\n\n{told(released)}\n")
    if given.write_docs:
        write_section(figures, released)
    print(json.dumps(document(figures, released)))


if __name__ == "__main__":
    main()
