"""Which datastore plays which role, per profile. A new datastore is a module and a line here."""

from __future__ import annotations

from dataclasses import dataclass

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
