"""Child processes that run until told otherwise, and end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from marketing_platform.errors import MarketingPlatformError
from marketing_platform.settings import Settings

_POLL = 0.2  # seconds
_GRACE = 10.0  # seconds a process has to end by itself


class ProcessEnded(MarketingPlatformError):
    """A process that should run on has ended."""


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, so that children see what this process was given."""
    given = {
        f"MARKETING_{name.upper()}": str(value)
        for name, value in settings.model_dump().items()
        if value is not None
    }
    return {
        **os.environ,
        **given,
        "DAGSTER_HOME": str(settings.dagster_home.resolve()),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def running(
    commands: Mapping[str, Sequence[str]], settings: Settings
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start every command, in order; on leaving, end them in reverse."""
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            started[name] = subprocess.Popen(
                list(command), env=environment(settings), stdin=subprocess.DEVNULL
            )
        yield started
    finally:
        for process in reversed(started.values()):
            _end(process)


def watch(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Return on Ctrl-C or SIGTERM; ProcessEnded when one of them ends."""

    def stop(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    with suppress(KeyboardInterrupt):
        while True:
            for name, process in processes.items():
                if process.poll() is not None:
                    raise ProcessEnded(
                        f"{name} ended with exit code {process.returncode}; see what it wrote above"
                    )
            time.sleep(_POLL)


def wait_for(url: str, process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """Return when `url` answers; ProcessEnded when the process ends first or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ProcessEnded(f"the process behind {url} ended with exit code {process.returncode}")
        with (
            suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            urllib.request.urlopen(url, timeout=2),
        ):
            return
        time.sleep(_POLL)
    raise ProcessEnded(f"{url} did not answer within {seconds:.0f} s")


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def api_command(host: str, port: int) -> list[str]:
    """The API server."""
    return [sys.executable, "-m", "serving", "--host", host, "--port", str(port)]


def dagster_command(program: str, *arguments: str) -> list[str]:
    """A program of Dagster on the project's workspace."""
    module = {"webserver": "dagster_webserver", "daemon": "dagster._daemon"}[program]
    return [sys.executable, "-m", module, *arguments]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
