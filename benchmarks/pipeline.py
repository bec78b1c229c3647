"""How fast the pipeline is: `python -m benchmarks.pipeline`, or `make bench-pipeline`.

For each size it lands the project's own sample events in a temporary data folder and runs the pipeline
in a fresh process, lands 1 % more and runs again, and compares the encoder with plain
`SentenceTransformer.encode`. Prints a table per stage and, as its last line, one JSON object.
Measuring one run is the business of `runs.py`, comparing encoders that of `embedding.py`,
tables and the page that of `pipeline_page.py`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.embedding import EmbeddingFigures, compare
from benchmarks.pipeline_page import stage_table, write_section
from benchmarks.runs import FullAndMore, console, run
from benchmarks.scale_world import EVENTS_PER_USER
from marketing_platform.encoders import open_encoder
from marketing_platform.sample import write_events
from marketing_platform.sample.world import DAYS, FIRST_DAY

DELTA_SHARE = 0.01
_DELTA_DAYS = 2
_COMPARED_TEXTS = 3_000


@dataclass(frozen=True)
class Size(FullAndMore):
    """Both runs of one size."""

    events: int
    users: int


def measure(events: int, folder: Path) -> Size:
    """Both runs, in a new data folder below `folder`."""
    data_dir = folder / f"events-{events}"
    users = max(1, events // EVENTS_PER_USER)
    # The model file is part of an installation, not of a run.
    (data_dir / "models").parent.mkdir(parents=True)
    (data_dir / "models").symlink_to(folder / "models", target_is_directory=True)
    write_events(data_dir / "landing", events=events, users=users)
    full = run(data_dir, f"{events:,} events")
    more = int(events * DELTA_SHARE)
    write_events(
        data_dir / "landing",
        events=more,
        users=users,
        start=events,
        first_day=FIRST_DAY + timedelta(DAYS),
        days=_DELTA_DAYS,
    )
    return Size(full, run(data_dir, f"{more:,} more"), events, users)


def sample_texts(folder: Path, count: int) -> list[str]:
    """Distinct messages of the landed events, in order of landing."""
    landed = sorted(folder.glob("*/landing/events/*.csv"))[0]
    with landed.open(encoding="utf-8", newline="") as file:
        messages = (row.get("message") for row in csv.DictReader(file))
        return list(islice(dict.fromkeys(message for message in messages if message), count))


def document(sizes: list[Size], embedding: EmbeddingFigures) -> dict[str, Any]:
    """The figures as one flat object, those of each size below `sizes`."""
    largest = max(sizes, key=lambda size: size.events)
    return {
        "embed_speedup": embedding.embed_speedup,
        "embed_cosine": embedding.embed_cosine,
        "delta_share": round(largest.delta_share, 4),
        "share_outside_embedding": round(largest.full.share_outside_embedding, 4),
        "rows_per_s": round(largest.full.rows_per_s, 1),
        "sizes": [
            {
                "events": size.events,
                "users": size.users,
                "rows_landed": size.full.rows_landed,
                "seconds": round(size.full.seconds, 2),
                "delta_seconds": round(size.delta.seconds, 2),
                "delta_share": round(size.delta_share, 4),
                "cpu_seconds": round(size.full.cpu_seconds, 2),
                "delta_cpu_share": round(size.delta_cpu_share, 4),
                "share_outside_embedding": round(size.full.share_outside_embedding, 4),
                "rows_per_s": round(size.full.rows_per_s, 1),
                "peak_mb": round(size.full.peak_mb),
                "load": round(size.full.load, 2),
            }
            for size in sizes
        ],
        **{
            name: value
            for name, value in asdict(embedding).items()
            if name not in ("embed_speedup", "embed_cosine")
        },
    }


def main() -> None:
    """Measure, print, and write the page when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        default=[100_000, 1_000_000],
        help="events of each full run, separated by commas",
    )
    parser.add_argument("--json-only", action="store_true", help="print the JSON object alone")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    parser.add_argument(
        "--reference-python", default=sys.executable, help="an interpreter with sentence-transformers"
    )
    given = parser.parse_args()
    console.quiet = given.json_only
    with tempfile.TemporaryDirectory(prefix="pipeline-benchmark-") as temporary:
        folder = Path(temporary)
        open_encoder(folder / "models")
        sizes = [measure(events, folder) for events in given.sizes]
        console.print("encoding with both encoders …")
        embedding = compare(
            sample_texts(folder, _COMPARED_TEXTS), folder / "models", reference_python=given.reference_python
        )
    if not given.json_only:
        for size in sizes:
            print(f"\n{size.events:,} events, {size.users:,} users\n\n{stage_table(size)}")
        print()
    if given.write_docs:
        write_section(sizes, embedding)
    print(json.dumps(document(sizes, embedding)))


if __name__ == "__main__":
    main()
