"""Child processes that run until told otherwise, and end together."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from marketing_platform.errors import MarketingPlatformError
from marketing_platform.settings import Settings

Process = subprocess.Popen[bytes]

_POLL = 0.2  # seconds
_GRACE = 15.0  # seconds a process has to end by itself
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessEnded(MarketingPlatformError):
    """A process that should run on has ended."""


class PortTaken(MarketingPlatformError):
    """Another program listens on a port that is needed here."""


class AlreadyUp(MarketingPlatformError):
    """The same programs run on the same data already."""


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
    commands: Mapping[str, Sequence[str]],
    settings: Settings,
    *,
    keep_open: Sequence[int] = (),
    log: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Generator[dict[str, Process]]:
    """Start every command, in order; on leaving, end them and what they started.

    Each leads a session of its own, so that Ctrl-C in a terminal reaches this process alone, which
    then ends them in order. `keep_open` are descriptors that they inherit; what they say goes to
    `log`, or to where this process speaks; `more` are variables beside the settings.
    """
    started: dict[str, Process] = {}
    with log.open("ab") if log else nullcontext() as output:
        try:
            for name, command in commands.items():
                started[name] = subprocess.Popen(  # noqa: S603 -- our own programs
                    list(command),
                    env={**environment(settings), **(more or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    pass_fds=keep_open,
                )
            yield started
        finally:
            with _deaf():
                _end(list(started.values()))


@contextmanager
def until_told() -> Generator[None]:
    """Leave the block on Ctrl-C, SIGTERM or a closed terminal, whatever it is doing."""

    def stop(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {ending: signal.signal(ending, stop) for ending in _ENDINGS}
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


def watch(processes: Mapping[str, Process], *, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Do `meanwhile` again and again; ProcessEnded when one of the processes ends."""
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                raise ProcessEnded(
                    f"{name} ended with exit code {process.returncode}; see what it wrote above"
                )
        meanwhile()
        time.sleep(_POLL)


def wait_for(url: str, process: Process, *, seconds: float) -> None:
    """Return when `url` answers; ProcessEnded when the process ends first or time is up."""

    def answers() -> bool:
        with (
            suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            urllib.request.urlopen(url, timeout=2),  # noqa: S310 -- our own servers
        ):
            return True
        return False

    wait_until(answers, process, what=url, seconds=seconds)


def wait_until(ready: Callable[[], bool], process: Process, *, what: str, seconds: float) -> None:
    """Return when `ready`; ProcessEnded when the process ends first or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ProcessEnded(f"the process behind {what} ended with exit code {process.returncode}")
        if ready():
            return
        time.sleep(_POLL)
    raise ProcessEnded(f"{what} did not answer within {seconds:.0f} s")


@contextmanager
def only_one(path: Path, what: str) -> Generator[int]:
    """Hold the lock at `path`; AlreadyUp when another process, or a child it left behind, has it.

    Yields the descriptor for children to keep open: as long as one of them lives, the lock is held.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyUp(f"{what} runs already: {lock.read().strip() or 'end it first'}") from None
        lock.truncate(0)
        lock.write(f"end process {os.getpid()} first (lock {path})")
        lock.flush()
        yield lock.fileno()


def require_free(host: str, port: int, *, needed_by: str, variable: str) -> None:
    """PortTaken, with the variable to change, when somebody listens on the port."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(
                f"port {port} of {host}, which {needed_by} needs, is taken by another program;"
                f" end that, or choose another port: {variable}={port + 1} make up"
            ) from None


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def api_command(host: str, port: int) -> list[str]:
    """The API server."""
    return [sys.executable, "-m", "serving", "--host", host, "--port", str(port)]


def dashboard_command(host: str, port: int) -> list[str]:
    """The dashboard's server."""
    return [sys.executable, "-m", "dashboard", "--host", host, "--port", str(port)]


def deliver_command() -> list[str]:
    """The deliverer of webhooks."""
    return [sys.executable, "-c", "from marketing_platform.cli import main; main()", "webhooks", "deliver"]


@contextmanager
def _deaf() -> Generator[None]:
    """Ending must itself not be ended half-way; it takes no longer than `_GRACE` per round."""
    before = {ending: signal.signal(ending, signal.SIG_IGN) for ending in _ENDINGS}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


def _end(processes: Sequence[Process]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + _GRACE
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    for process in processes:  # whoever did not listen, and what they left behind
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
