"""Which datastore plays which role, per profile. A new datastore is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from marketing_platform.errors import StoreUnavailable
from marketing_platform.settings import Settings
from marketing_platform.stores.answers_sqlite import SqliteAnswers
from marketing_platform.stores.documents_sqlite import SqliteDocuments
from marketing_platform.stores.enriched_parquet import ParquetEnrichedDocuments
from marketing_platform.stores.graph_ladybug import LadybugGraphs
from marketing_platform.stores.objects_folder import FolderObjects
from marketing_platform.stores.protocols import (
    Answers,
    Counters,
    Documents,
    EnrichedDocuments,
    Graphs,
    Objects,
    Reports,
    Vectors,
    Warehouse,
)
from marketing_platform.stores.reports_folder import FolderReports
from marketing_platform.stores.server_settings import mistakes
from marketing_platform.stores.vectors_milvus_lite import MilvusLiteVectors
from marketing_platform.stores.warehouse_duckdb import Connect, DuckDBWarehouse, in_memory

_Settings = TypeVar("_Settings", bound=BaseSettings)


@dataclass(frozen=True)
class Stores:
    """One datastore per role."""

    objects: Objects
    documents: Documents
    enriched: EnrichedDocuments
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
        enriched=ParquetEnrichedDocuments(data / "enriched"),
        warehouse=DuckDBWarehouse(data / "warehouse", connect),
        vectors=MilvusLiteVectors(data / "vectors"),
        graphs=LadybugGraphs(data / "graphs"),
        answers=SqliteAnswers(data / "answers"),
        reports=FolderReports(data / "reports"),
    )


def _servers(settings: Settings, connect: Connect) -> Stores:
    """Cloud Storage, MongoDB, PostgreSQL or BigQuery, Milvus, Neo4j and Redis."""
    # Clients of servers that an embedded installation need not have are imported here.
    from marketing_platform.stores.answers_cached import CachedAnswers
    from marketing_platform.stores.answers_mongo import MongoAnswers
    from marketing_platform.stores.documents_mongo import MongoDocuments
    from marketing_platform.stores.enriched_mongo import MongoEnrichedDocuments
    from marketing_platform.stores.gcs_settings import GcsSettings
    from marketing_platform.stores.graph_neo4j import Neo4jGraphs
    from marketing_platform.stores.milvus_settings import MilvusSettings
    from marketing_platform.stores.mongo_settings import MongoSettings
    from marketing_platform.stores.neo4j_settings import Neo4jSettings
    from marketing_platform.stores.objects_gcs import GcsObjects
    from marketing_platform.stores.redis_settings import RedisSettings
    from marketing_platform.stores.reports_gcs import GcsReports
    from marketing_platform.stores.vectors_milvus import MilvusVectors

    gcs = from_environment(GcsSettings)
    mongo = from_environment(MongoSettings)
    return Stores(
        objects=GcsObjects(gcs),
        documents=MongoDocuments(mongo),
        enriched=MongoEnrichedDocuments(mongo),
        warehouse=_warehouse(settings),
        vectors=MilvusVectors(from_environment(MilvusSettings)),
        graphs=Neo4jGraphs(from_environment(Neo4jSettings)),
        answers=CachedAnswers(MongoAnswers(mongo), from_environment(RedisSettings)),
        reports=GcsReports(gcs),
    )


def _warehouse(settings: Settings) -> Warehouse:
    """The warehouse of the servers profile."""
    if settings.warehouse == "bigquery":
        from marketing_platform.stores.bigquery_settings import BigQuerySettings
        from marketing_platform.stores.gcs_settings import GcsSettings
        from marketing_platform.stores.warehouse_bigquery import BigQueryWarehouse

        return BigQueryWarehouse(from_environment(BigQuerySettings), from_environment(GcsSettings))
    from marketing_platform.stores.postgres_settings import PostgresSettings
    from marketing_platform.stores.warehouse_postgres import PostgresWarehouse

    return PostgresWarehouse(from_environment(PostgresSettings))


def open_counters(settings: Settings) -> Counters | None:
    """What processes of the API count together; None in the profile in which there is only one."""
    if settings.profile == "embedded":
        return None
    from marketing_platform.stores.counters_redis import RedisCounters
    from marketing_platform.stores.redis_settings import RedisSettings

    return RedisCounters(from_environment(RedisSettings))


def from_environment(kind: type[_Settings]) -> _Settings:
    """The settings of one server; StoreUnavailable says which variables are wrong."""
    try:
        return kind()
    except ValidationError as error:
        wrong = "; ".join(mistakes(kind, error))
        raise StoreUnavailable(f"settings are wrong: {wrong}") from None


_PROFILES: dict[str, Callable[[Settings, Connect], Stores]] = {"embedded": _embedded, "servers": _servers}
