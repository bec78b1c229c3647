"""A real server process, started as people start it, and sockets that may misbehave towards it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from marketing_platform_tests.servers.base import free_port

_HOST = "127.0.0.1"
_START_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What came back over a socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """Where it listens, and which process it is."""

    port: int
    pid: int
    log: Path

    def connect(self, *, timeout: float = 10.0, source: str = "") -> socket.socket:
        """A connection; from another address of this machine when `source` is given."""
        return socket.create_connection((_HOST, self.port), timeout, (source, 0) if source else None)

    def get(self, path: str, *headers: str, timeout: float = 10.0) -> Answer:
        with self.connect(timeout=timeout) as connection:
            connection.sendall(request("GET", path, "Connection: close", *headers))
            return received(connection)

    @property
    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024  # type: ignore[union-attr]


@contextmanager
def serving(data_dir: Path, **limits: object) -> Generator[Server]:
    """`marketing-platform serve` over the releases of `data_dir`, with these limits."""
    port, log = free_port(), data_dir / "server.log"
    environment = {**os.environ, "MARKETING_DATA_DIR": str(data_dir)}
    environment |= {f"MARKETING_LIMIT_{name.upper()}": str(value) for name, value in limits.items()}
    program = "from marketing_platform.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        server = Server(port, process.pid, log)
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    head = [f"{method} {path} HTTP/1.1", "Host: api", *headers, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def received(connection: socket.socket, stream: BinaryIO | None = None) -> Answer:
    """The next answer; ConnectionError when there is none. Give the stream when more than one is coming."""
    stream = stream or connection.makefile("rb")
    line = stream.readline()
    if not line:
        raise ConnectionError("no answer")
    headers: dict[str, str] = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode("latin-1").partition(": ")
        headers[name.lower()] = value
    return Answer(int(line.split()[1]), headers, stream.read(int(headers.get("content-length", "0"))))


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, server.log.read_text()
        try:
            if server.get("/health/ready").status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the API did not start:\n{server.log.read_text()}")
