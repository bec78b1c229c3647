"""Which datastores a profile stands on, each with its settings and how it is asked. A new one is a line here.

What is asked is said by each `<name>_diagnosis.py`, in which shape by `diagnosis.py`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from os import W_OK, access
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from marketing_platform.errors import MarketingPlatformError, StoreUnavailable
from marketing_platform.settings import Settings
from marketing_platform.stores.diagnosis import Found, Question
from marketing_platform.stores.registry import from_environment

_LEAST_FREE_BYTES = 1 << 30
_STORES = "marketing_platform.stores"


@dataclass(frozen=True)
class Server:
    """A server: its settings are `<name>_settings.<model>`, its check `<name>_diagnosis.diagnose`."""

    name: str
    model: str
    kind: str
    roles: str

    def settings(self) -> type[BaseSettings]:
        """The model of its settings."""
        return getattr(import_module(f"{_STORES}.{self.name}_settings"), self.model)

    def question(self) -> Question:
        """The question to the server that the environment names; wrong settings are its answer."""
        try:
            given: Any = from_environment(self.settings())
        except StoreUnavailable as error:
            return Question(self.roles, self.kind, "", _refusing(error))
        # Imported here: loading a client takes seconds, which are none of the server's.
        diagnose = import_module(f"{_STORES}.{self.name}_diagnosis").diagnose
        return Question(self.roles, self.kind, given.where, lambda: diagnose(given))


_GCS = Server("gcs", "GcsSettings", "Cloud Storage", "objects, reports")
_MONGO = Server("mongo", "MongoSettings", "MongoDB", "documents, answers")
_POSTGRES = Server(
    "postgres", "PostgresSettings", "PostgreSQL", "records, lock, Dagster; tables unless BigQuery"
)
_BIGQUERY = Server("bigquery", "BigQuerySettings", "BigQuery", "tables")
_MILVUS = Server("milvus", "MilvusSettings", "Milvus", "vectors")
_NEO4J = Server("neo4j", "Neo4jSettings", "Neo4j", "graph")
_REDIS = Server("redis", "RedisSettings", "Redis", "cache of answers")
_KAFKA = Server("kafka", "KafkaSettings", "Kafka", "stream")
SERVERS = (_GCS, _MONGO, _POSTGRES, _BIGQUERY, _MILVUS, _NEO4J, _REDIS, _KAFKA)


def used(settings: Settings, *, stream: bool) -> list[Server]:
    """The servers that the profile needs; `stream` when messages are consumed too."""
    if settings.profile == "embedded":
        return []
    left_out = {"bigquery"} - {settings.warehouse} | (set() if stream else {"kafka"})
    return [server for server in SERVERS if server.name not in left_out]


def questions(settings: Settings, *, stream: bool) -> list[Question]:
    """What to ask, of every datastore of the profile; nothing is contacted yet."""
    if settings.profile == "servers":
        return [server.question() for server in used(settings, stream=stream)]
    data = str(settings.data_dir)
    return [
        Question("everything written", "folder", data, lambda: _folder(settings.data_dir)),
        Question("objects", "folder", str(settings.landing_dir), lambda: _folder(settings.landing_dir)),
        Question("documents, records", "SQLite", data, lambda: Found(sqlite3.sqlite_version)),
        *(
            Question(role, kind, data, lambda package=package: _package(package))
            for role, kind, package in (
                ("tables", "DuckDB", "duckdb"),
                ("vectors", "Milvus Lite", "milvus-lite"),
                ("graph", "Ladybug", "ladybug"),
            )
        ),
    ]


def _refusing(error: MarketingPlatformError) -> Callable[[], Found]:
    def ask() -> Found:
        raise error

    return ask


def _package(name: str) -> Found:
    import_module(name.replace("-", "_"))
    return Found(version(name))


def _folder(folder: Path) -> Found:
    """Whether the folder, or what it will be made in, may be written to, and has room."""
    nearest = next(place for place in (folder, *folder.resolve().parents) if place.exists())
    if not nearest.is_dir() or not access(nearest, W_OK):
        raise StoreUnavailable(
            f"{nearest} is no folder this user may write to; chown it, or set MARKETING_DATA_DIR"
        )
    free = shutil.disk_usage(nearest).free
    if free < _LEAST_FREE_BYTES:
        return Found(None, None, (f"{free / 2**30:.1f} GiB free of disk, at least 1 is needed; make room",))
    return Found(None)
