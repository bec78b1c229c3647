"""Runs in processes of their own, so that they can be killed."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from marketing_platform.cli.run import run_pipeline
from marketing_platform.settings import Settings
from marketing_platform_tests.acceptance.installation import Installation

# Processes are forked from one that has imported what takes a run 10 s to import, and done nothing else.
_PREPARED = ("great_expectations", "marketing_platform.definitions", "scipy.sparse", "matplotlib.figure")


@dataclass(frozen=True)
class Running:
    """A run under way."""

    wait: Callable[[float | None], object]  # seconds at most
    send_kill: Callable[[], object]

    def kill(self) -> None:
        """kill -9 unless it has ended, and wait until it is gone."""
        self.send_kill()
        self.wait(None)


Start = Callable[[Installation], Running]


def prepared_process(installation: Installation) -> Running:
    """A run by what is behind the command `run`, ready in a moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PREPARED))
    process = context.Process(target=_run, args=(installation.settings,))
    process.start()
    return Running(process.join, process.kill)


def command_line(installation: Installation) -> Running:
    """A run as people start it."""
    program = "from marketing_platform.cli import main; main()"
    data_dir = str(installation.settings.data_dir)
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", "--json", "--data-dir", data_dir], stdout=subprocess.DEVNULL
    )

    def wait(seconds: float | None) -> None:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    return Running(wait, process.kill)


def duration(start: Start, installation: Installation) -> float:
    """Seconds that a run takes from its start to its end."""
    if start is prepared_process:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_PREPARED))
        first = context.Process(target=_nothing)
        first.start()  # the first one waits for the imports
        first.join()
    began = time.monotonic()
    start(installation).wait(None)
    return time.monotonic() - began


def _run(settings: Settings) -> None:
    run_pipeline(settings, quiet=True)


def _nothing() -> None: ...
