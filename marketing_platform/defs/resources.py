"""What assets and checks are given: stores, records (ledger, shelf, writer lock, …), encoder."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from marketing_platform.compute import Compute, Here, OnSpark
from marketing_platform.defs.io_managers import (
    AnswersIOManager,
    DocumentsIOManager,
    EnrichedIOManager,
    GraphIOManager,
    ReportIOManager,
    VectorsIOManager,
    WarehouseIOManager,
)
from marketing_platform.defs.jobs import INGEST, REPLAY
from marketing_platform.defs.spark import launch
from marketing_platform.encoders import configured_encoder
from marketing_platform.releases.records import open_records
from marketing_platform.releases.writer import LockSession
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import Stores, from_environment, open_stores
from marketing_platform.stores.spark_settings import SparkSettings
from marketing_platform.stores.warehouse_duckdb import cursors_of


def _compute(settings: Settings) -> Compute:
    if settings.compute == "duckdb":
        return Here()
    spark = from_environment(SparkSettings)
    return OnSpark(settings, lambda job: launch(job, spark))


def build_resources(settings: Settings, *, stores: Stores | None = None) -> dict[str, Any]:
    """Every resource by key, for the profile of the settings."""
    # Memory goes back when a query ends.
    config = {"memory_limit": settings.duckdb_memory, "enable_external_file_cache": False}
    duckdb = DuckDBResource(database=":memory:", connection_config=config)
    kept = ExitStack()
    connect = cursors_of(lambda: kept.enter_context(duckdb.get_connection()))
    stores = stores or open_stores(settings, connect=connect)
    compute = _compute(settings)
    stores = replace(stores, warehouse=compute.warehouse(stores.warehouse))
    records = open_records(settings)

    @dg.resource(description="The encoder of messages; loaded when first asked for.")
    def encoder():
        return compute.encoder(lambda: configured_encoder(settings))

    @dg.resource(description="Held by the run that writes; where servers allow it, ingesting runs share it.")
    def writer(context: dg.InitResourceContext) -> Generator[LockSession]:
        ingests = context.run is not None and context.run.job_name in {INGEST, REPLAY}
        with records.writer.held(shared=ingests) as session:
            yield session

    return {
        "settings": settings,
        "duckdb": duckdb,
        "stores": stores,
        "compute": compute,
        "ledger": records.ledger,
        "shelf": records.shelf,
        "notices": records.notices,
        "overrides": records.overrides,
        "erasures": records.erasures,
        "outbox": records.outbox,
        "calls": records.calls,
        "mail": records.mail,
        "encoder": encoder,
        "writer": writer,
        "io_manager": WarehouseIOManager(stores.warehouse),
        "warehouse_io": WarehouseIOManager(stores.warehouse),
        "documents_io": DocumentsIOManager(stores.documents, chunk_rows=settings.chunk_rows),
        "enriched_io": EnrichedIOManager(stores.enriched),
        "vectors_io": VectorsIOManager(stores.vectors),
        "graph_io": GraphIOManager(stores.graphs),
        "answers_io": AnswersIOManager(stores.answers),
        "report_io": ReportIOManager(stores.reports),
    }
