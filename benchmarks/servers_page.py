"""The figures of `servers.py` as a table, on the terminal and in their section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.pairs import Figures
from benchmarks.pipeline_page import PAGE, SERVERS_SECTION, machine, with_section
from benchmarks.servers_kafka import ReleaseFigures

_INTRODUCTION = """
Written by `python -m benchmarks.servers --write-docs`; `make bench-servers` prints the same figures for
your machine. Server, platform and bare client share it and take turns; each line is the best of the
rounds. The bare client does what a script would: no batch that becomes visible as a whole, no old version
that goes on being read, no fingerprint. {machine}
"""


def write_section(figures: Sequence[Figures], released: ReleaseFigures | None) -> None:
    """Write the section anew, and leave the rest of the page as it is."""
    text = f"{_INTRODUCTION.format(machine=machine())}\n{table(figures)}\n\n{told(released)}"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_section(page, SERVERS_SECTION, text), encoding="utf-8")


def told(released: ReleaseFigures | None) -> str:
    """One sentence about the way from Kafka to a release; nothing when it was left out."""
    if released is None:
        return ""
    return (
        f"{released.kafka_release_messages:,} events from Kafka to a release of the embedded stores:"
        f" landed after {released.kafka_landed_seconds:,.0f} s, released after"
        f" {released.kafka_release_seconds:,.0f} s, both commands from their start."
    )


def table(figures: Sequence[Figures]) -> str:
    """A line per comparison."""
    lines = [
        "| what | pieces | per second | bare client, per second | its time, times | |",
        "|---|---:|---:|---:|---:|---|",
        *(
            f"| {one.what} | {one.amount:,} | {one.per_s:,.0f} | {one.reference_per_s:,.0f}"
            f" | {one.ratio:.2f} | {one.note} |"
            for one in figures
        ),
    ]
    return "\n".join(lines)
