"""The figures of `scale.py` as tables, on the terminal and in their section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.page import Section, prose, table, write
from benchmarks.runs import Run
from benchmarks.scale_growth import MATTERS, MEASURABLE_SECONDS, StageGrowth, growth, stage_of, worst

if TYPE_CHECKING:
    from benchmarks.scale import Scaled

_INTRODUCTION = """
Made files in the layouts of the sample's sources: events in a file per week, users, campaigns, products,
interests, purchases, ads. Users act by a power law, campaigns and products are met by Zipf's law; days have
hours and sends have bursts behind them; impressions lead to opens, clicks, purchases; a fifth of the events
are messages, a quarter of those short answers that everybody writes, the rest phrases that repeat less and
less, 6 % of all texts that occur once. One event in a hundred comes in up to ten days late, one row in 500 is
bad. 1 % more is one more file, a tenth of it late. Each run is a process of its own, from the interpreter's
start to the release; peaks are of the largest process, its children looked at as well.
"""
_GROWTH = f"""
Growth is the slope of log(seconds) over log(events), by least squares over the sizes; from the seconds of a
stage is taken what it takes in a run over 1,000 events, and what is left counts from
{MEASURABLE_SECONDS} s on. Stages below {MATTERS:.0%} of the largest run are left out. Memory is what
processes reside in meanwhile, so it includes what stages before left behind; disk is by how much the data
folder grew.
"""
_LOAD = """
DuckDB's seconds are those in which it alone reads the same CSV files into tables of a file, with the types it
finds, the better of twice: before the full run and after it. The first ratio is of the step that validates,
types and writes, the second with the step that keeps the raw records.
"""


def write_section(base: Run, scaled: Sequence[Scaled]) -> None:
    """Write the section of the page anew."""
    write(Section.SCALE, prose(_INTRODUCTION), tables(base, scaled), load=scaled[-1].full.load)


def tables(base: Run, scaled: Sequence[Scaled]) -> str:
    """Runs, stages, and disk."""
    stages = growth(base, {one.landed.events: one.full for one in scaled})
    parts = [
        _runs(scaled),
        _loading(scaled),
        prose(_LOAD),
        _fastest(stages),
        _stages(stages, scaled),
        prose(_GROWTH),
        _disk(scaled),
    ]
    return "\n\n".join(part for part in parts if part)


def _runs(scaled: Sequence[Scaled]) -> str:
    head = (
        *("events", "users", "rows", "full run, s", "CPU s", "rows/s", "peak GB"),
        *("1 % more, s", "share", "share of CPU", "its peak GB", "load"),
    )
    return table(
        head,
        [
            [
                f"{one.landed.events:,}",
                f"{one.landed.users:,}",
                f"{one.full.rows_landed:,}",
                f"{one.full.seconds:,.0f}",
                f"{one.full.cpu_seconds:,.0f}",
                f"{one.full.rows_per_s:,.0f}",
                f"{one.full.peak_mb / 1e3:.2f}",
                f"{one.delta.seconds:,.0f}",
                f"{one.delta_share:.1%}",
                f"{one.delta_cpu_share:.1%}",
                f"{one.delta.peak_mb / 1e3:.2f}",
                f"{one.full.load:.1f}",
            ]
            for one in scaled
        ],
    )


def _loading(scaled: Sequence[Scaled]) -> str:
    head = (
        "events",
        "rows of CSV",
        "DuckDB alone, s",
        "validated, typed, written: times",
        "with raw records",
    )
    return table(
        head,
        [
            [
                f"{one.landed.events:,}",
                f"{one.alone.rows:,}",
                f"{one.alone.seconds:,.1f}",
                f"{one.load_ratio:.2f}",
                f"{one.load_ratio_with_raw:.2f}",
            ]
            for one in scaled
        ],
    )


def _fastest(stages: Sequence[StageGrowth]) -> str:
    fastest = worst(stages)
    if fastest is None:
        return ""
    return f"Growing fastest: {fastest.stage}, exponent {fastest.exponent:.2f}."


def _stages(stages: Sequence[StageGrowth], scaled: Sequence[Scaled]) -> str:
    largest = scaled[-1]
    head = (
        "stage",
        *(f"s at {one.landed.events:,}" for one in scaled),
        *("growth", "of CPU", "CPU s", "rows", "peak GB", "all processes GB", "disk MB", "1 % more, s"),
    )
    return table(head, [_stage(one, stage_of(largest.delta, one.stage).seconds) for one in stages])


def _stage(one: StageGrowth, again: float) -> list[str]:
    return [
        one.stage,
        *(f"{seconds:,.1f}" for seconds in one.seconds),
        *("" if slope is None else f"{slope:.2f}" for slope in (one.exponent, one.cpu_exponent)),
        f"{one.largest.cpu_seconds:,.1f}",
        f"{one.largest.rows:,}" if one.largest.rows else "",
        f"{one.largest.peak_mb / 1e3:.2f}",
        f"{one.largest.together_mb / 1e3:.2f}",
        f"{one.largest.grew_mb:,.0f}",
        f"{again:,.1f}",
    ]


def _disk(scaled: Sequence[Scaled]) -> str:
    """What each store takes after the full run, and all together after both."""
    stores = [name for name, size in scaled[-1].full.disk_mb.items() if size >= 1]
    head = ("MB on disk", *(f"{one.landed.events:,}" for one in scaled))
    rows = [[name, *(f"{one.full.disk_mb.get(name, 0):,.0f}" for one in scaled)] for name in stores]
    rows += [
        ["**together**", *(f"{sum(one.full.disk_mb.values()):,.0f}" for one in scaled)],
        ["after 1 % more", *(f"{sum(one.delta.disk_mb.values()):,.0f}" for one in scaled)],
        ["bytes per event, both releases", *(f"{one.bytes_per_event:,.0f}" for one in scaled)],
    ]
    return table(head, rows)
