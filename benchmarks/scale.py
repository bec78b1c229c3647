"""What a run costs as data grows: `python -m benchmarks.scale`, or `make bench-scale`.

For each size it makes the files of an installation, lets DuckDB alone read the CSV files among them, runs the
pipeline in a fresh process, and runs it again after one more file with 1 % more events. A run over next to
nothing comes first: what a stage takes there is taken off before growth is fitted. Prints tables and, as its
last line, one JSON object. The data is made in `scale_data.py`; one run is measured in `runs.py`, growth
fitted in `scale_growth.py`, tables and the page are `scale_page.py`'s.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.runs import FullAndMore, Run, console, run
from benchmarks.scale_data import Landed, ScaleData
from benchmarks.scale_duckdb import Loaded, loaded
from benchmarks.scale_growth import growth, worst
from benchmarks.scale_page import tables, write_section
from marketing_platform.encoders import open_encoder

SIZES = (100_000, 1_000_000, 10_000_000)
DELTA_SHARE = 0.01
# Next to nothing, for what stages cost whatever the size.
_FLOOR = 1_000
# What a data folder takes per event after both runs until a run has told, and how much more is asked for.
_BYTES_PER_EVENT, _MARGIN = 6_000.0, 1.2
# The steps that validate, type and write; the first keeps the records as they came.
_KEEPS, _VALIDATES = "raw_records", "validate_batches"


@dataclass(frozen=True)
class Scaled(FullAndMore):
    """Everything measured at one size."""

    landed: Landed
    alone: Loaded  # DuckDB, over the CSV files of the full run

    @property
    def bytes_per_event(self) -> float:
        """What the data folder takes after both runs, by the events of the full one."""
        return sum(self.delta.disk_mb.values()) * 1e6 / self.landed.events

    @property
    def load_ratio(self) -> float:
        """Time in which the files are validated, typed and written, by DuckDB's for reading them."""
        return self.full.seconds_of(_VALIDATES) / self.alone.seconds

    @property
    def load_ratio_with_raw(self) -> float:
        """The same, keeping the raw records included."""
        return self.full.seconds_of(_KEEPS, _VALIDATES) / self.alone.seconds


def measure(events: int, folder: Path) -> Scaled:
    """Both runs in a new data folder below `folder`, and DuckDB before and after the full one."""
    data_dir = _installation(folder, events)
    landing = data_dir / "landing"
    data = ScaleData(landing, events=events)
    with console.status(f"making {events:,} events …"):
        landed = data.write()
    alone = [loaded(landing, folder / "alone.duckdb")]
    full = run(data_dir, f"{events:,} events")
    alone.append(loaded(landing, folder / "alone.duckdb"))
    more = round(events * DELTA_SHARE)
    data.write_more(more)
    delta = run(data_dir, f"{more:,} more")
    shutil.rmtree(data_dir)
    return Scaled(full, delta, landed, min(alone, key=lambda one: one.seconds))


def floor(folder: Path) -> Run:
    """A full run over next to nothing."""
    data_dir = _installation(folder, _FLOOR)
    ScaleData(data_dir / "landing", events=_FLOOR).write()
    found = run(data_dir, f"{_FLOOR:,} events")
    shutil.rmtree(data_dir)
    return found


def _installation(folder: Path, events: int) -> Path:
    """A new data folder; the encoder's model is part of an installation, not of a run."""
    models = folder.resolve() / "models"
    if not models.is_dir():
        open_encoder(models)
    data_dir = folder / f"scale-{events}"
    data_dir.mkdir()
    (data_dir / "models").symlink_to(models, target_is_directory=True)
    return data_dir


def check_room(folder: Path, events: int, smaller: Sequence[Scaled]) -> None:
    """SystemExit when the disk of `folder` is too small for runs over `events`, by `smaller` ones."""
    each = max((one.bytes_per_event for one in smaller[-1:]), default=_BYTES_PER_EVENT)
    needed = events * each * _MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(
            f"{events:,} events take about {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free:"
            " name another folder with --folder, or smaller --sizes"
        )


def document(base: Run, scaled: Sequence[Scaled]) -> dict[str, Any]:
    """The figures as one object: the largest size's, those of each size below `sizes`."""
    largest = scaled[-1]
    stages = growth(base, {one.landed.events: one.full for one in scaled})
    fastest = worst(stages)
    return {
        "growth_exponent": round(fastest.exponent, 3) if fastest and fastest.exponent else None,
        "growth_stage": fastest.stage if fastest else None,
        "delta_share": round(largest.delta_share, 4),
        "peak_gb": round(max(max(one.full.peak_mb, one.delta.peak_mb) for one in scaled) / 1e3, 3),
        "load_ratio": round(largest.load_ratio, 2),
        "load_ratio_with_raw": round(largest.load_ratio_with_raw, 2),
        "delta_cpu_share": round(largest.delta_cpu_share, 4),
        "exponents": {one.stage: round(one.exponent, 3) for one in stages if one.exponent is not None},
        "cpu_exponents": {
            one.stage: round(one.cpu_exponent, 3) for one in stages if one.cpu_exponent is not None
        },
        "sizes": [_figures(one) for one in scaled],
    }


def _told(one: Scaled) -> str:
    return (
        f"{one.landed.events:,} events: {one.full.seconds:,.0f} s, largest process"
        f" {one.full.peak_mb / 1e3:.2f} GB; 1 % more {one.delta.seconds:,.0f} s ({one.delta_share:.1%})"
    )


def _figures(one: Scaled) -> dict[str, Any]:
    return {
        "events": one.landed.events,
        "users": one.landed.users,
        "rows_landed": one.full.rows_landed,
        "seconds": round(one.full.seconds, 2),
        "cpu_seconds": round(one.full.cpu_seconds, 2),
        "delta_seconds": round(one.delta.seconds, 2),
        "delta_cpu_seconds": round(one.delta.cpu_seconds, 2),
        "delta_share": round(one.delta_share, 4),
        "peak_mb": round(one.full.peak_mb),
        "delta_peak_mb": round(one.delta.peak_mb),
        "disk_mb": round(sum(one.full.disk_mb.values())),
        "bytes_per_event": round(one.bytes_per_event),
        "duckdb_seconds": round(one.alone.seconds, 2),
        "load_ratio": round(one.load_ratio, 2),
        "load": round(one.full.load, 2),
    }


def main() -> None:
    """Measure, print, and write the section of the page when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: sorted(int(size) for size in text.split(",")),
        default=list(SIZES),
        help="events of each full run, separated by commas",
    )
    parser.add_argument("--folder", type=Path, help="where data folders are made (the system's own)")
    parser.add_argument("--json-only", action="store_true", help="print the JSON object alone")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    given = parser.parse_args()
    console.quiet = given.json_only
    with tempfile.TemporaryDirectory(prefix="scale-benchmark-", dir=given.folder) as temporary:
        folder = Path(temporary)
        base = floor(folder)
        scaled: list[Scaled] = []
        for events in given.sizes:
            check_room(folder, events, scaled)
            scaled.append(measure(events, folder))
            console.print(_told(scaled[-1]))
    if not given.json_only:
        print(f"\n{tables(base, scaled)}\n")
    if given.write_docs:
        write_section(base, scaled)
    print(json.dumps(document(base, scaled)))


if __name__ == "__main__":
    main()
