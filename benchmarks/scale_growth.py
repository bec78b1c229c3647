"""How the time of each stage grows with the number of events: exponents fitted over runs of several sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.pipeline_run import Stage
from benchmarks.runs import Run

# Below this the seconds of a stage, less those it takes over next to nothing, are mostly noise.
MEASURABLE_SECONDS = 0.5
# Stages that take less of the largest run do not matter.
MATTERS = 0.01


@dataclass(frozen=True)
class StageGrowth:
    """One stage over all sizes; an exponent is None where fewer than two sizes took a measurable time."""

    stage: str
    seconds: tuple[float, ...]  # by size, the smallest first
    exponent: float | None
    cpu_exponent: float | None
    largest: Stage


def growth(floor: Run, runs: Mapping[int, Run]) -> list[StageGrowth]:
    """The stages that matter, longest first, of full runs over so many events.

    Of each stage the time that it takes in `floor`, a run over next to nothing, is taken off first.
    """
    sizes = sorted(runs)
    largest = runs[sizes[-1]]
    found = [
        _grown(stage, floor, [(size, runs[size]) for size in sizes])
        for stage in largest.stages
        if stage.seconds >= MATTERS * largest.seconds
    ]
    return sorted(found, key=lambda one: -one.largest.seconds)


def worst(stages: Sequence[StageGrowth]) -> StageGrowth | None:
    """The stage whose seconds grow fastest."""
    fitted = [stage for stage in stages if stage.exponent is not None]
    return max(fitted, key=lambda stage: stage.exponent or 0.0, default=None)


def exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """The slope of log(seconds) over log(size), by least squares; None with fewer than two points that count.

    `points` are (size, seconds), seconds net of what nothing at all costs.
    """
    logs = [(math.log(size), math.log(seconds)) for size, seconds in points if seconds >= MEASURABLE_SECONDS]
    if not logs[1:]:
        return None
    across = sum(x for x, _ in logs) / len(logs)
    up = sum(y for _, y in logs) / len(logs)
    return sum((x - across) * (y - up) for x, y in logs) / sum((x - across) ** 2 for x, _ in logs)


def _grown(stage: Stage, floor: Run, runs: Sequence[tuple[int, Run]]) -> StageGrowth:
    base = stage_of(floor, stage.stage)
    each = [(size, stage_of(run, stage.stage)) for size, run in runs]
    return StageGrowth(
        stage=stage.stage,
        seconds=tuple(one.seconds for _, one in each),
        exponent=exponent([(size, one.seconds - base.seconds) for size, one in each]),
        cpu_exponent=exponent([(size, one.cpu_seconds - base.cpu_seconds) for size, one in each]),
        largest=stage,
    )


def stage_of(run: Run, name: str) -> Stage:
    """That stage of a run, several steps of one name added up; all zero when it did not take place."""
    parts = [stage for stage in run.stages if stage.stage == name]
    return Stage(
        name,
        sum(part.seconds for part in parts),
        sum(part.cpu_seconds for part in parts),
        max((part.peak_mb for part in parts), default=0.0),
        max((part.together_mb for part in parts), default=0.0),
        sum(part.grew_mb for part in parts),
        next((part.rows for part in parts if part.rows is not None), None),
    )
