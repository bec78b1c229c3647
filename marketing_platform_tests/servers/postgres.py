"""PostgreSQL 15 from Debian's packages, in a folder of its own, as a user that is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from marketing_platform.stores.postgres_settings import PostgresSettings
from marketing_platform_tests.servers.base import Running, free_port, started
from marketing_platform_tests.servers.packages import install_debian

DATABASE = "marketing"
_FAST = "127.0.0.1"
# What the test group of processes gets is SIGTERM, after which PostgreSQL waits for its clients; SIGINT
# ends it at once.
_SERVE = 'trap : TERM; "$@" & server=$!; wait $server; kill -INT $server 2>/dev/null; wait $server'


@contextmanager
def running(folder: Path | None = None, port: int | None = None) -> Generator[Running]:
    """A server with the database `marketing`; give folder and port to start an older one again."""
    with ExitStack() as stack:
        own = folder or stack.enter_context(home())
        data, port = own / "data", port or free_port()
        if not data.exists():
            _run(
                own,
                "initdb",
                "-D",
                str(data),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            )
        _let_go(data)
        command = [
            *_as_user(),
            "bash",
            "-c",
            _SERVE,
            "postgres",
            *(str(_program("postgres")), "-D", str(data), "-p", str(port), "-h", _FAST, "-k", str(own)),
        ]
        endpoint = f"host={_FAST} port={port} user=postgres"
        with started(command, endpoint=endpoint, folder=own, answers=lambda: _ready(endpoint)) as server:
            yield server


def _let_go(data: Path, seconds: float = 20.0) -> None:
    """Wait for the server before: until its end was taken note of, its lock stands."""
    lock, deadline = data / "postmaster.pid", time.monotonic() + seconds
    while lock.exists() and time.monotonic() < deadline:
        try:
            os.kill(int(lock.read_text().split()[0]), 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)


@contextmanager
def home() -> Generator[Path]:
    """A folder for a server; not below pytest's own, which only their owner may enter."""
    folder = Path(tempfile.mkdtemp(prefix="marketing-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settings(server: Running, **changed: object) -> PostgresSettings:
    """Settings for a namespace that nobody else uses."""
    port = int(server.endpoint.split("port=")[1].split()[0])
    given: dict[str, object] = {
        "port": port,
        "user": "postgres",
        "tls": False,
        "namespace": f"test_{uuid.uuid4().hex[:12]}",
        "pool_size": 3,
    }
    return PostgresSettings.model_validate({**given, **changed})


def _ready(endpoint: str) -> bool:
    with psycopg.connect(f"{endpoint} dbname=postgres", connect_timeout=2, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    return True


def _as_user() -> list[str]:
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def _run(home: Path, program: str, *arguments: str) -> None:
    subprocess.run(
        [*_as_user(), str(_program(program)), *arguments], check=True, cwd=home, capture_output=True
    )


def _program(name: str) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        install_debian("postgresql")
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found[-1]
