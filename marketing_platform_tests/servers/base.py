"""What every server module offers, and how a process is started, awaited and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# What servers come in is kept here between runs; `make clean` leaves it.
CACHE = Path(
    os.environ.get("MARKETING_TEST_SERVERS_CACHE") or Path(__file__).resolve().parents[2] / ".servers"
).resolve()
_GRACE = 15.0  # seconds a server has to end by itself
_POLL = 0.2


@dataclass(frozen=True)
class Running:
    """A started server."""

    endpoint: str  # what a client connects to
    process: subprocess.Popen[bytes]
    log: Path


class ServerFailed(AssertionError):
    """A server did not start; the message ends with the last lines of its log."""


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(
    command: Sequence[str],
    *,
    endpoint: str,
    folder: Path,
    answers: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    seconds: float = 240,  # Neo4j needs 10, and a hundred beside what else a busy machine does
) -> Generator[Running]:
    """Run `command` in `folder` until the block ends; enter it once `answers()` is true."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, answers, log, command[0], seconds)
        yield Running(endpoint, process, log)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server and everything it started."""
    for send in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, send)
            process.wait(_GRACE)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _wait(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path, name: str, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if answers():
                return
        except Exception:  # noqa: BLE001 -- whatever a client raises before the server is up
            pass
        time.sleep(_POLL)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
    raise ServerFailed(f"{name} did not answer within {seconds:.0f} s (exit code {process.poll()}):\n{tail}")
