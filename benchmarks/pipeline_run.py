"""One run of the pipeline in a process of its own, measured step by step.

`python -m benchmarks.pipeline_run DATA_DIR STARTED` takes what landed in DATA_DIR, ingests and
publishes it like `marketing-platform run`, and writes one JSON object per line: each step that
begins, and at the end everything. STARTED is when the caller started it (seconds since the epoch),
so that the interpreter and the imports count as a stage, too. What is landed and what the figures
mean is decided in `pipeline.py` and `scale.py`; memory and disk are read in `resources.py`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.resources import Memory, disk_mb, peak_of_all_mb

START_UP = "start-up"
LANDING = "landing"
BETWEEN = "between steps"


@dataclass
class Stage:
    """A part of the run.

    `peak_mb` is the largest that any one process resided in meanwhile, `together_mb` all of them at one time;
    `grew_mb` is by how much the data folder grew.
    """

    stage: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    together_mb: float
    grew_mb: float
    rows: int | None = None


class Stopwatch:
    """Turns the progress of the pipeline into stages: one per step, the time between steps as one more."""

    def __init__(self, started: float, data_dir: Path) -> None:
        self._memory = Memory()
        self._data_dir = data_dir
        self._since, self._cpu_since = started, 0.0
        self._disk = sum(disk_mb(data_dir).values())
        self._step: str | None = None
        self._between = Stage(BETWEEN, 0.0, 0.0, 0.0, 0.0, 0.0)
        self.stages: list[Stage] = []

    def lap(self, stage: str) -> None:
        """Everything since the last lap was `stage`."""
        self.stages.append(self._noted(stage))

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
        self.stages.append(self._between)

    def _pause(self) -> None:
        now, total = self._noted(BETWEEN), self._between
        self._between = Stage(
            BETWEEN,
            total.seconds + now.seconds,
            total.cpu_seconds + now.cpu_seconds,
            max(total.peak_mb, now.peak_mb),
            max(total.together_mb, now.together_mb),
            total.grew_mb + now.grew_mb,
        )

    def _noted(self, stage: str) -> Stage:
        now, cpu = time.time(), _cpu_seconds()
        disk = sum(disk_mb(self._data_dir).values())
        noted = Stage(
            stage,
            now - self._since,
            cpu - self._cpu_since,
            self._memory.peak,
            self._memory.together,
            disk - self._disk,
        )
        # Looking at the disk is no part of the run.
        self._since, self._cpu_since, self._disk = time.time(), _cpu_seconds(), disk
        self._memory.reset()
        return noted


def main() -> None:
    """Run once and report; ends with the same error as the command line when a run fails."""
    data_dir = Path(sys.argv[1])
    watch = Stopwatch(float(sys.argv[2]), data_dir)
    from marketing_platform.defs.execution import Pipeline, open_instance
    from marketing_platform.settings import Settings

    settings = Settings(data_dir=data_dir)
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
    _tell(
        stages=[asdict(stage) for stage in watch.stages],
        rows_landed=landed,
        totals=totals,
        peak_mb=max(peak_of_all_mb(), *(stage.peak_mb for stage in watch.stages)),
        cpu_seconds=_cpu_seconds(),
        disk_mb=disk_mb(data_dir),
    )


_OF_BATCHES = frozenset([LANDING, "raw_records", "validate_batches"])


def _rows(instance: Any, step: str) -> int | None:
    """How many rows the asset of that step has now, or None for a step that stores none."""
    import dagster as dg

    event = instance.get_latest_materialization_event(dg.AssetKey(step.removesuffix("_gate")))
    materialization = event.asset_materialization if event else None
    rows = materialization.metadata.get("dagster/row_count") if materialization else None
    return int(rows.value) if rows else None


def _cpu_seconds() -> float:
    """Of this process and the children it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _tell(**line: Any) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
