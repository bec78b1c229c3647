"""The figures of `servers.py` as a table, on the terminal and in their section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.page import Section, write
from benchmarks.pairs import Figures
from benchmarks.servers_kafka import ReleaseFigures

_INTRODUCTION = """
Server, platform and bare client share the machine and take turns; each line is the best of the rounds. The
bare client does what a script would: no batch that becomes visible as a whole, no old version that goes on
being read, no fingerprint.
"""


def write_section(figures: Sequence[Figures], released: ReleaseFigures | None) -> None:
    """Write the section anew, and leave the rest of the page as it is."""
    write(Section.SERVERS, _INTRODUCTION, table(figures), told(released))


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
