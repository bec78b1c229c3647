"""How far a run is, shown on stderr: bars for people, JSON lines for machines."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from marketing_platform.cli.output import progress_console

if TYPE_CHECKING:
    from marketing_platform.defs.progress import OnProgress
    from marketing_platform.defs.progress import Progress as Heard

_MINUTE, _HOUR = 60, 3600


@contextmanager
def showing(quiet: bool, lines: bool) -> Generator[OnProgress]:
    """Something to tell the progress to: JSON `lines`, or a bar per job on a terminal unless `quiet`."""
    if lines:
        yield _print_line
    elif quiet or not progress_console.is_terminal:
        yield lambda _: None
    else:
        with _bars() as bars:
            yield _Bars(bars).show


def _print_line(heard: Heard) -> None:
    """One line as a step begins, and one after the last."""
    if heard.step is None and heard.done < heard.steps:
        return
    line = {
        "job": heard.job,
        "step": heard.step,
        "done": heard.done,
        "steps": heard.steps,
        "kept": heard.kept,
        "elapsed_seconds": round(heard.elapsed, 1),
        "left_seconds": None if heard.left is None else round(heard.left, 1),
        "left_by": "last run" if heard.measured else "share of steps",
    }
    progress_console.file.write(orjson.dumps(line).decode() + "\n")
    progress_console.file.flush()


def _bars() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        _TimeLeft(),
    )
    return Progress(*columns, console=progress_console)


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def show(self, heard: Heard) -> None:
        if heard.job not in self._tasks:
            self._tasks[heard.job] = self._bars.add_task(heard.job, total=heard.steps)
        shown: dict[str, Any] = {"heard": heard, "heard_at": time.monotonic()}
        if heard.step or heard.done == heard.steps:
            kept = f" ({heard.kept} kept)" if heard.kept else ""
            shown["description"] = f"{heard.job}{kept}" + (f": {heard.step}" if heard.step else "")
        self._bars.update(self._tasks[heard.job], completed=heard.done, **shown)


class _TimeLeft(ProgressColumn):
    """Counts down; a step that takes longer than expected holds it at what comes after."""

    def render(self, task: Task) -> Text:
        heard: Heard | None = task.fields.get("heard")
        if heard is None or heard.left is None or heard.done == heard.steps:
            return Text("")
        left = max(heard.left - (time.monotonic() - task.fields["heard_at"]), heard.left_after)
        return Text(f"{_told(left)} left" + ("" if heard.measured else " by share of steps"), style="cyan")


def _told(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
