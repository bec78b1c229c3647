"""Collection keeps what the latest materializations need, also when no ledger and no release names it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pyarrow as pa

from marketing_platform.defs.housekeeping import collect_unneeded
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select
from marketing_platform.stores.registry import open_stores

_SCHEMA = pa.schema([("event_id", pa.string())])


def test_parts_of_a_table_that_was_made_before_a_replay_stay(tmp_path: Path) -> None:
    """The table was made, its run failed, and a replay gave the batch another part."""
    settings = Settings(data_dir=tmp_path)
    stores, records = open_stores(settings), open_records(settings)
    for part in ("events__batch_before", "events__batch_forgotten"):
        with stores.warehouse.writer(part, _SCHEMA) as writer:
            writer.add(pa.table({"event_id": [part]}))
    stores.warehouse.combine("events__run", ["events__batch_before"], _SCHEMA)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization("events", metadata={"name": "events__run"})
        )
        collected = collect_unneeded(instance, stores, records.ledger, records.shelf, keep=1)
    assert collected.names == (("warehouse", "events__batch_forgotten"),)
    latest = stores.warehouse.open("events__run")
    assert stores.warehouse.query(Select("SELECT event_id FROM events", [latest.ref])).num_rows == 1


def test_documents_of_the_latest_materialization_stay(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    stores, records = open_stores(settings), open_records(settings)
    for name in ("enriched_events__latest", "enriched_events__forgotten"):
        stores.enriched.write(name, [pa.table({"row_ordinal": [0]})])
    with dg.DagsterInstance.ephemeral() as instance:
        metadata = {"sets": dg.MetadataValue.json(["enriched_events__latest"])}
        instance.report_runless_asset_event(dg.AssetMaterialization("enriched_events", metadata=metadata))
        collected = collect_unneeded(instance, stores, records.ledger, records.shelf, keep=1)
    assert collected.names == (("enriched documents", "enriched_events__forgotten"),)
    assert stores.enriched.names() == ["enriched_events__latest"]
