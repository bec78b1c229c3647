"""An installation of the `servers` profile: the servers it stands on, told by the environment alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.servers import gcs, milvus, mongo, neo4j, postgres, redis
from marketing_platform_tests.servers.base import Running, end, free_port
from marketing_platform_tests.servers.shared import shared

_PORTION = 1 << 20


@dataclass(frozen=True)
class Kind:
    """A server of the profile: how it is started again, and settings that lead into an empty place of it."""

    prefix: str  # of its variables, after MARKETING_
    running: Callable[..., AbstractContextManager[Running]]
    settings: Callable[[Running], BaseSettings]
    home: Callable[[], AbstractContextManager[Any]] = TemporaryDirectory


KINDS: Mapping[str, Kind] = {
    "Cloud Storage": Kind("GCS", gcs.running, gcs.settings),
    "MongoDB": Kind("MONGO", mongo.running, mongo.settings),
    "PostgreSQL": Kind("POSTGRES", postgres.running, postgres.settings, postgres.home),
    "Milvus": Kind("MILVUS", milvus.running, lambda server: milvus.emptied(milvus.settings(server.endpoint))),
    "Neo4j": Kind("NEO4J", neo4j.running, lambda server: neo4j.emptied(neo4j.settings(server.endpoint))),
    "Redis": Kind("REDIS", lambda _home, port: redis.running(port), redis.settings),
}


class Restartable:
    """A server of one test module, which comes back on its port with what it held."""

    def __init__(self, kind: Kind, stack: ExitStack) -> None:
        self._kind = kind
        self._stack = stack
        self._home = Path(stack.enter_context(kind.home()))
        self._port = free_port()
        self.start()

    def start(self) -> None:
        self.server = self._stack.enter_context(self._kind.running(self._home, self._port))

    def stop(self) -> None:
        end(self.server.process)


def shared_settings() -> dict[str, BaseSettings]:
    """Settings that lead to an empty place of each of the session's servers, by name of the server."""
    running = {name: shared(_shared_start(name)) for name in KINDS}
    return {name: kind.settings(running[name]) for name, kind in KINDS.items()}


def _shared_start(name: str) -> Callable[[], AbstractContextManager[Running]]:
    return redis.running if name == "Redis" else KINDS[name].running


def variables(*settings: BaseSettings) -> dict[str, str]:
    """The environment variables that say the same as these settings."""
    return {
        f"{given.model_config.get('env_prefix', '')}{field.upper()}": (
            ",".join(value) if isinstance(value, tuple) else str(value)
        )
        for given in settings
        for field, value in given.model_dump(exclude_none=True, exclude_defaults=True).items()
    }


def environment(*settings: BaseSettings) -> dict[str, str]:
    """The variables of an installation that stands on these servers."""
    return {
        "MARKETING_PROFILE": "servers",
        "MARKETING_API_SECRET": secrets.token_hex(24),
        **variables(*settings),
    }


def tell(patch: pytest.MonkeyPatch, told: Mapping[str, str]) -> None:
    """Set environment variables until the patch is undone."""
    for name, value in told.items():
        patch.setenv(name, value)


def land(installation: Installation, folder: Path, names: Iterable[str] | None = None) -> None:
    """Put files of a folder (all unless named) into the installation's landing zone, whichever that is."""
    objects = open_stores(installation.settings).objects
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and (names is None or name in names):
            with path.open("rb") as file:
                objects.put(name, iter(partial(file.read, _PORTION), b""))


@contextmanager
def restartable_servers() -> Generator[dict[str, Restartable]]:
    """One of each, ended with the block."""
    with ExitStack() as stack:
        yield {name: Restartable(kind, stack) for name, kind in KINDS.items()}


def installation(data_dir: Path, models: Path, **settings: Any) -> Installation:
    """An installation whose language model is prepared already; the profile comes with the settings."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "models").symlink_to(models)
    return Installation(Settings(data_dir=data_dir, **settings))


def counted(installation: Installation) -> dict[str, object]:
    """How much of everything the release holds. Fingerprints are left out: each engine has its own."""
    content = dict(installation.content())
    tables: Any = content["tables"]
    content["tables"] = {name: rows for name, (rows, _) in tables.items()}
    return content
