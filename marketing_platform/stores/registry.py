"""Which datastore plays which role, per profile. A new datastore is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic_settings import BaseSettings

from marketing_platform.settings import Settings
from marketing_platform.stores.answers_sqlite import SqliteAnswers
from marketing_platform.stores.documents_sqlite import SqliteDocuments
from marketing_platform.stores.graph_ladybug import LadybugGraphs
from marketing_platform.stores.objects_folder import FolderObjects
from marketing_platform.stores.protocols import (
    Answers,
    Documents,
    Graphs,
    Objects,
    Reports,
    Vectors,
    Warehouse,
)
from marketing_platform.stores.reports_folder import FolderReports
from marketing_platform.stores.vectors_milvus_lite import MilvusLiteVectors
from marketing_platform.stores.warehouse_duckdb import Connect, DuckDBWarehouse, in_memory

_Settings = TypeVar("_Settings", bound=BaseSettings)


@dataclass(frozen=True)
class Stores:
    """One datastore per role."""

    objects: Objects
    documents: Documents
    warehouse: Warehouse
    vectors: Vectors
    graphs: Graphs
    answers: Answers
    reports: Reports


def open_stores(settings: Settings, *, connect: Connect = in_memory) -> Stores:
    """The datastores of the profile; none is contacted before its first use."""
    return _PROFILES[settings.profile](settings, connect)


def _embedded(settings: Settings, connect: Connect) -> Stores:
    data = settings.data_dir.resolve()
    return Stores(
        objects=FolderObjects(settings.landing_dir.resolve(), data / "kept"),
        documents=SqliteDocuments(data / "documents.sqlite"),
        warehouse=DuckDBWarehouse(data / "warehouse", connect),
        vectors=MilvusLiteVectors(data / "vectors"),
        graphs=LadybugGraphs(data / "graphs"),
        answers=SqliteAnswers(data / "answers"),
        reports=FolderReports(data / "reports"),
    )


def _servers(settings: Settings, connect: Connect) -> Stores:
    """MongoDB, PostgreSQL, Milvus, Neo4j and Redis; what landed and reports are still in folders."""
    # Clients of servers that an embedded installation need not have are imported here.
    from marketing_platform.stores.answers_cached import CachedAnswers
    from marketing_platform.stores.answers_mongo import MongoAnswers
    from marketing_platform.stores.documents_mongo import MongoDocuments
    from marketing_platform.stores.graph_neo4j import Neo4jGraphs
    from marketing_platform.stores.milvus_settings import MilvusSettings
    from marketing_platform.stores.mongo_settings import MongoSettings
    from marketing_platform.stores.neo4j_settings import Neo4jSettings
    from marketing_platform.stores.postgres_settings import PostgresSettings
    from marketing_platform.stores.redis_settings import RedisSettings
    from marketing_platform.stores.vectors_milvus import MilvusVectors
    from marketing_platform.stores.warehouse_postgres import PostgresWarehouse

    folders = _embedded(settings, connect)
    mongo = _from_environment(MongoSettings)
    return Stores(
        objects=folders.objects,
        documents=MongoDocuments(mongo),
        warehouse=PostgresWarehouse(_from_environment(PostgresSettings)),
        vectors=MilvusVectors(_from_environment(MilvusSettings)),
        graphs=Neo4jGraphs(_from_environment(Neo4jSettings)),
        answers=CachedAnswers(MongoAnswers(mongo), _from_environment(RedisSettings)),
        reports=folders.reports,
    )


def _from_environment(kind: type[_Settings]) -> _Settings:
    return kind()


_PROFILES: dict[str, Callable[[Settings, Connect], Stores]] = {"embedded": _embedded, "servers": _servers}
