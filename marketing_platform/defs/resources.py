"""What assets and checks are given: stores, ledger, shelf of releases, encoder."""

from __future__ import annotations

from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from marketing_platform.defs.io_managers import (
    AnswersIOManager,
    DocumentsIOManager,
    GraphIOManager,
    ReportIOManager,
    VectorsIOManager,
    WarehouseIOManager,
)
from marketing_platform.encoders import open_encoder
from marketing_platform.releases.ledger import Ledger
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.writer import single_writer
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import Stores, open_stores


def build_resources(settings: Settings, *, stores: Stores | None = None) -> dict[str, Any]:
    """Every resource by key, for the profile of the settings."""
    duckdb = DuckDBResource(database=":memory:", connection_config={"memory_limit": settings.duckdb_memory})
    stores = stores or open_stores(settings, connect=duckdb.get_connection)

    @dg.resource(description="The encoder of messages; loaded when first asked for.")
    def encoder():
        return open_encoder(settings.data_dir / "models")

    @dg.resource(description="Held by the one run that may write; others wait.")
    def writer():
        with single_writer(settings.data_dir / ".writer.lock"):
            yield None

    return {
        "settings": settings,
        "duckdb": duckdb,
        "stores": stores,
        "ledger": Ledger(settings.data_dir / "ledger.sqlite"),
        "shelf": ReleaseShelf(settings.data_dir / "releases"),
        "encoder": encoder,
        "writer": writer,
        "io_manager": WarehouseIOManager(stores.warehouse),
        "warehouse_io": WarehouseIOManager(stores.warehouse),
        "documents_io": DocumentsIOManager(stores.documents, chunk_rows=settings.chunk_rows),
        "vectors_io": VectorsIOManager(stores.vectors),
        "graph_io": GraphIOManager(stores.graphs),
        "answers_io": AnswersIOManager(stores.answers),
        "report_io": ReportIOManager(stores.reports),
    }
