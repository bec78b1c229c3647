"""Redis 7 from Debian's packages, in memory only."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from marketing_platform.stores.redis_settings import RedisSettings
from marketing_platform_tests.servers.base import Running, free_port, started
from marketing_platform_tests.servers.packages import install_debian

_HOST = "127.0.0.1"


@contextmanager
def running(port: int | None = None) -> Generator[Running]:
    """A server; give the port to start one where another was."""
    if shutil.which("redis-server") is None:
        install_debian("redis-server")
    port = port or free_port()
    command = ["redis-server", "--bind", _HOST, "--port", str(port), "--save", "", "--appendonly", "no"]
    with TemporaryDirectory(prefix="marketing-redis-") as folder:
        endpoint = f"{_HOST}:{port}"
        with started(
            command, endpoint=endpoint, folder=Path(folder), answers=lambda: _answers(port)
        ) as server:
            yield server


def settings(server: Running, **changed: object) -> RedisSettings:
    """Settings for this server; keys carry the set they belong to, so tests may share it."""
    given: dict[str, object] = {
        "port": int(server.endpoint.rpartition(":")[2]),
        "tls": False,
        "answer_seconds": 0.5,  # two slow cores, shared
    }
    return RedisSettings.model_validate({**given, **changed})


def client(server: Running) -> redis.Redis:
    """A client for the tests themselves."""
    return redis.Redis(host=_HOST, port=int(server.endpoint.rpartition(":")[2]))


def _answers(port: int) -> bool:
    with redis.Redis(host=_HOST, port=port, socket_timeout=1) as client:
        return bool(client.ping())
