"""A run of the pipeline in a process of its own: started, followed and read. The one way it is measured.

What that process notes down is said in `pipeline_run.py`; which runs are made, in `pipeline.py` and
`scale.py`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.pipeline_run import Stage

_EMBEDDING = "text_embeddings"

console = Console(stderr=True)


@dataclass(frozen=True)
class Run:
    """One run of the pipeline in a process of its own; `seconds` is all of it, start-up included."""

    seconds: float
    cpu_seconds: float  # of the process and the children it waited for
    peak_mb: float  # the largest that any one process resided in
    rows_landed: int
    stages: tuple[Stage, ...]
    totals: dict[str, int]
    disk_mb: dict[str, float]  # by store: what lies below the data folder afterwards
    load: float  # of the machine before: processes that wanted a core, mean of a minute

    @property
    def rows_per_s(self) -> float:
        """Rows landed by this run over its seconds."""
        return self.rows_landed / self.seconds

    @property
    def share_outside_embedding(self) -> float:
        """Part of the time in which no text was encoded; texts are encoded by one step."""
        return 1 - self.seconds_of(_EMBEDDING) / self.seconds

    def seconds_of(self, *stages: str) -> float:
        """Seconds of these stages together."""
        return sum(stage.seconds for stage in self.stages if stage.stage in stages)


@dataclass(frozen=True)
class FullAndMore:
    """A run over everything landed, then one after 1 % more events."""

    full: Run
    delta: Run

    @property
    def delta_share(self) -> float:
        """Time of the run over 1 % by that of the full run."""
        return self.delta.seconds / self.full.seconds

    @property
    def delta_cpu_share(self) -> float:
        """The same in CPU seconds, which other work on the machine hardly changes."""
        return self.delta.cpu_seconds / self.full.cpu_seconds


def run(data_dir: Path, title: str, *, settings: Mapping[str, str] | None = None) -> Run:
    """Run the pipeline once over what is landed, showing how far it is.

    `settings` are variables of the environment. SystemExit when it fails or is killed.
    """
    load, started = os.getloadavg()[0], time.time()
    command = [sys.executable, "-m", "benchmarks.pipeline_run", str(data_dir), str(started)]
    environment = {**os.environ, **(settings or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        lines = (json.loads(line) for line in process.stdout or ())
        result, step = _follow(lines, title)
    seconds = time.time() - started
    if process.returncode or not result:
        raise SystemExit(f"{title}: {_ended(process.returncode)}, {step} was being done")
    return Run(
        seconds=seconds,
        cpu_seconds=result["cpu_seconds"],
        peak_mb=result["peak_mb"],
        rows_landed=result["rows_landed"],
        stages=tuple(Stage(**stage) for stage in result["stages"]),
        totals=result["totals"],
        disk_mb=result["disk_mb"],
        load=load,
    )


def _ended(code: int) -> str:
    if code >= 0:
        return "the run failed, its error is above"
    killed = f"the run was ended by {signal.Signals(-code).name}"
    return f"{killed}, as a system does that is short of memory" if code == -signal.SIGKILL else killed


def _follow(lines: Iterator[dict[str, Any]], title: str) -> tuple[dict[str, Any], str]:
    """Show each step as it starts; returns the last line, which holds the figures, and the last step."""
    last: dict[str, Any] = {}
    step = "starting up"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None)
        for last in lines:
            if "step" in last:
                step = last["step"]
                left = "" if last["left"] is None else f", about {last['left']:.0f} s left"
                bar.update(
                    task, description=f"{title}: {step}{left}", completed=last["done"], total=last["steps"]
                )
    return (last if "stages" in last else {}), step
