"""The figures of `pipeline.py` as tables, on the terminal and in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.embedding import EmbeddingFigures
from benchmarks.page import Section, write

if TYPE_CHECKING:
    from benchmarks.pipeline import Size

# Steps that take less are added up.
_WORTH_A_LINE = 0.01

_INTRODUCTION = """
The input is the project's own sample: users, campaigns and one CSV of events, a third of them messages, 29
events per user. The full run starts from an empty data folder, embeddings included; the second run takes 1 %
more events of the same users, two days later. Each is a process of its own, and its seconds count
everything: interpreter, imports, Dagster, reading, checks, embeddings, graph, answers, release. The load is
the number of processes that wanted a core before the run began.
"""

_LEGEND = """
Rows of a stage are the rows it stored (for raw_records and validate_batches, those that landed).
Memory is the largest the process resided in during the stage, so it includes what
stages before it left behind. Stages below {share:.0%} of the full run are added up in the last line.
"""


def write_section(sizes: Sequence[Size], embedding: EmbeddingFigures) -> None:
    """Write the section of the page anew."""
    write(
        Section.PIPELINE,
        _INTRODUCTION,
        _overview(sizes),
        _embedding(embedding),
        *(f"### {size.events:,} events\n\n{stage_table(size)}" for size in sizes),
        _LEGEND.format(share=_WORTH_A_LINE),
    )


def stage_table(size: Size) -> str:
    """A line per stage of the full run, longest first, beside its seconds in the run over 1 % more."""
    delta = {stage.stage: stage.seconds for stage in size.delta.stages}
    lines = [
        "| stage | rows | seconds | rows/s | peak MB | seconds, 1 % more |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    rest = rest_delta = 0.0
    for stage in sorted(size.full.stages, key=lambda stage: -stage.seconds):
        again = delta.get(stage.stage, 0.0)
        if max(stage.seconds, again) < _WORTH_A_LINE * size.full.seconds:
            rest, rest_delta = rest + stage.seconds, rest_delta + again
            continue
        rows = f"{stage.rows:,}" if stage.rows else ""
        speed = f"{stage.rows / stage.seconds:,.0f}" if stage.rows else ""
        lines.append(
            f"| {stage.stage} | {rows} | {stage.seconds:,.2f} | {speed} | {stage.peak_mb:,.0f}"
            f" | {again:,.2f} |"
        )
    lines += [
        f"| all other stages | | {rest:,.2f} | | | {rest_delta:,.2f} |",
        f"| **whole run** | {size.full.rows_landed:,} | {size.full.seconds:,.2f}"
        f" | {size.full.rows_per_s:,.0f} | {size.full.peak_mb:,.0f} | {size.delta.seconds:,.2f} |",
        "",
        f"Outside embedding: {size.full.share_outside_embedding:.1%} of the full run."
        f" 1 % more takes {size.delta_share:.1%} of its time,"
        f" {size.delta_cpu_share:.1%} of its CPU time ({size.full.cpu_seconds:,.0f} s).",
    ]
    return "\n".join(lines)


def _overview(sizes: Sequence[Size]) -> str:
    lines = [
        "| events | users | full run | rows/s | outside embedding | peak MB | 1 % more | share | load |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {size.events:,} | {size.users:,} | {size.full.seconds:,.1f} s | {size.full.rows_per_s:,.0f}"
            f" | {size.full.share_outside_embedding:.1%} | {size.full.peak_mb:,.0f}"
            f" | {size.delta.seconds:,.1f} s | {size.delta_share:.1%} | {size.full.load:.1f} |"
            for size in sizes
        ),
        "",
    ]
    return "\n".join(lines)


def _embedding(embedding: EmbeddingFigures) -> str:
    return (
        f"Embedding {embedding.embed_texts:,} distinct messages with all-MiniLM-L6-v2, taking turns:"
        f" {embedding.embed_texts_per_s:,.0f} texts/s here,"
        f" {embedding.embed_reference_texts_per_s:,.0f} texts/s with plain `SentenceTransformer.encode`:"
        f" **{embedding.embed_speedup:.1f} times** as fast, at a mean cosine of {embedding.embed_cosine:.4f}"
        f" to its vectors (smallest {embedding.embed_cosine_min:.4f}).\n"
    )
