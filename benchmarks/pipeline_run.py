"""One run of the pipeline in a process of its own, measured step by step.

`python -m benchmarks.pipeline_run DATA_DIR STARTED` takes what landed in DATA_DIR, ingests and
publishes it like `marketing-platform run`, and writes one JSON object per line: each step that
begins, and at the end everything. STARTED is when the caller started it (seconds since the epoch),
so that the interpreter and the imports count as a stage, too. What is landed and what the figures
mean is decided in `pipeline.py`.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

START_UP = "start-up"
LANDING = "landing"
BETWEEN = "between steps"
_SAMPLE_SECONDS = 0.02


@dataclass
class Stage:
    """A part of the run; memory is the largest the process resided in meanwhile."""

    stage: str
    seconds: float
    peak_mb: float
    rows: int | None = None


class Memory:
    """Samples what the process resides in; `peak` is the largest since the last `reset`, in MB."""

    def __init__(self) -> None:
        self._peak = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def reset(self) -> None:
        self._peak = _resident_mb()

    @property
    def peak(self) -> float:
        self._look()
        return self._peak

    def _watch(self) -> None:
        while True:
            self._look()
            time.sleep(_SAMPLE_SECONDS)

    def _look(self) -> None:
        self._peak = max(self._peak, _resident_mb())


class Stopwatch:
    """Turns the progress of the pipeline into stages: one per step, the time between steps as one more."""

    def __init__(self, started: float) -> None:
        self._memory = Memory()
        self._since = started
        self._step: str | None = None
        self._between = 0.0
        self.stages: list[Stage] = []

    def lap(self, stage: str) -> None:
        """Everything since the last lap was `stage`."""
        now = time.time()
        self.stages.append(Stage(stage, now - self._since, self._memory.peak))
        self._since = now
        self._memory.reset()

    def hear(self, progress: Any) -> None:
        """A step began (it has a name) or ended."""
        if progress.step:
            self._pause()
            self._step = str(progress.step)
            _tell(job=progress.job, step=self._step, done=progress.done, steps=progress.steps)
        elif self._step:
            self.lap(self._step)
            self._step = None

    def finish(self) -> None:
        """Book the time between steps."""
        self._pause()
        self.stages.append(Stage(BETWEEN, self._between, self._memory.peak))

    def _pause(self) -> None:
        now = time.time()
        self._between += now - self._since
        self._since = now
        self._memory.reset()


def main() -> None:
    """Run once and report; ends with the same error as the command line when a run fails."""
    watch = Stopwatch(float(sys.argv[2]))
    from marketing_platform.defs.execution import Pipeline, open_instance
    from marketing_platform.settings import Settings

    settings = Settings(data_dir=Path(sys.argv[1]))
    with open_instance(settings) as instance:
        pipeline = Pipeline(settings, instance, watch.hear)
        watch.lap(START_UP)
        pipeline.take()
        watch.lap(LANDING)
        waiting = pipeline.ledger.pending()
        pipeline.ingest([batch.batch_id for batch in waiting])
        landed = sum(pipeline.ledger.batch(batch.batch_id).rows_landed for batch in waiting)
        pipeline.publish()
        watch.finish()
        for stage in watch.stages:
            stage.rows = landed if stage.stage in _OF_BATCHES else _rows(instance, stage.stage)
        totals = pipeline.shelf.load(str(pipeline.shelf.current())).totals.model_dump()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _tell(
        stages=[asdict(stage) for stage in watch.stages],
        rows_landed=landed,
        totals=totals,
        peak_mb=max(stage.peak_mb for stage in watch.stages),
        cpu_seconds=usage.ru_utime + usage.ru_stime,
    )


_OF_BATCHES = frozenset([LANDING, "raw_records", "validate_batches"])


def _rows(instance: Any, step: str) -> int | None:
    """How many rows the asset of that step has now, or None for a step that stores none."""
    import dagster as dg

    event = instance.get_latest_materialization_event(dg.AssetKey(step.removesuffix("_gate")))
    materialization = event.asset_materialization if event else None
    rows = materialization.metadata.get("dagster/row_count") if materialization else None
    return int(rows.value) if rows else None


def _resident_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:  # no Linux: the largest so far is all there is, in bytes on macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    return pages * resource.getpagesize() / (1 << 20)


def _tell(**line: Any) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
