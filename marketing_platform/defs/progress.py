"""How far a run is, and how long it may yet take by what its steps took before.

Here is what is heard of a run and the arithmetic over it. Whoever shows it, the command line or a
program, decides how.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from marketing_platform.defs.io_managers.reuse import REUSED_FROM

# The pace of a run counts as though this share of it had gone as it did the last time: its first steps
# alone say little.
_AS_BEFORE = 0.1


@dataclass(frozen=True)
class Progress:
    """How far a run is; times are in seconds."""

    job: str
    done: int
    steps: int
    step: str | None  # the step that just started
    kept: int  # assets that were not computed again
    elapsed: float
    left: float | None  # None as long as nothing is known
    left_after: float  # the part of `left` that comes after the step under way
    measured: bool  # told by what the steps took the last time; else by the share of steps that are done


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Before:
    """The last run of a job that succeeded."""

    seconds: Mapping[str, float]  # by step
    more: float = 1.0  # how many times its rows, or bytes, the run at hand has


def before(instance: dg.DagsterInstance, job: str) -> tuple[dg.DagsterRun, Before] | None:
    """What the last run of a job took that succeeded in this installation; None before the first."""
    ran = instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1)
    if not ran:
        return None
    seconds = {
        stats.step_key: stats.end_time - stats.start_time
        for stats in instance.get_run_step_stats(ran[0].run_id)
        if stats.start_time is not None and stats.end_time is not None
    }
    return ran[0], Before(seconds)


class Estimate:
    """Seconds that are left of a run whose steps go one after the other."""

    def __init__(self, steps: Sequence[str], known: Before | None) -> None:
        seconds = known.seconds if known else {}
        mean = sum(seconds.values()) / len(seconds) if seconds else 0.0
        self._expected = {step: seconds.get(step, mean) * (known.more if known else 1.0) for step in steps}
        self._spent: dict[str, float] = {}
        self.measured = bool(seconds)

    def ended(self, step: str, seconds: float) -> None:
        """A step took so long."""
        self._spent[step] = seconds

    def left(self, step: str | None) -> tuple[float | None, float]:
        """What is left in all as `step` begins (None: between steps), and what comes after it."""
        ahead = {one: cost for one, cost in self._expected.items() if one not in self._spent}
        if not self.measured:
            if not self._spent:
                return None, 0.0
            each = sum(self._spent.values()) / len(self._spent)
            return each * len(ahead), each * (len(ahead) - (step in ahead))
        pace, total = self._pace(), sum(ahead.values())
        return pace * total, pace * (total - ahead.get(step or "", 0.0))

    def _pace(self) -> float:
        """How much longer steps take than was expected of them."""
        as_before = _AS_BEFORE * sum(self._expected.values())
        expected = sum(self._expected.get(step, 0.0) for step in self._spent)
        return (as_before + sum(self._spent.values())) / max(as_before + expected, 1e-9)


class Listener:
    """Turns events of a run into progress."""

    def __init__(self, job: str, steps: Sequence[str], known: Before | None, on_progress: OnProgress) -> None:
        self._job = job
        self._steps = len(steps)
        self._estimate = Estimate(steps, known)
        self._on_progress = on_progress
        self._done = self._kept = 0
        self._began = time.monotonic()
        self._step_began = self._began

    def hear(self, entry: dg.EventLogEntry) -> None:
        """Something happened in the run."""
        event = entry.dagster_event
        if event is None:
            return
        if event.event_type is dg.DagsterEventType.STEP_START:
            self._step_began = time.monotonic()
            self._tell(event.step_key)
        elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            self._kept += REUSED_FROM in event.step_materialization_data.materialization.metadata
        elif event.is_step_success or event.is_step_failure or event.is_step_skipped:
            self._done += 1
            self._estimate.ended(str(event.step_key), time.monotonic() - self._step_began)
            self._tell(None)

    def _tell(self, step: str | None) -> None:
        left, after = self._estimate.left(step)
        self._on_progress(
            Progress(
                job=self._job,
                done=self._done,
                steps=self._steps,
                step=step,
                kept=self._kept,
                elapsed=time.monotonic() - self._began,
                left=left,
                left_after=after,
                measured=self._estimate.measured,
            )
        )
