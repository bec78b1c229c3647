"""A file goes through ingestion and into an aggregate on Spark as it does without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from marketing_platform.defs.execution import Pipeline, open_instance
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores

FILE = "events/events-2026-06.csv"
CHUNK_ROWS = 100  # three chunks
PUBLISHED = ("admitted_batches", "events", "daily_activity")


def made(data_dir: Path, content: bytes, compute: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What became of the file: quarantine, outcome and fingerprints; and what the runs say of their jobs."""
    settings = Settings.model_validate({"data_dir": data_dir, "compute": compute, "chunk_rows": CHUNK_ROWS})
    (settings.landing_dir / FILE).parent.mkdir(parents=True)
    (settings.landing_dir / FILE).write_bytes(content)
    stores = open_stores(settings)
    with open_instance(settings) as instance:
        pipeline = Pipeline(settings, instance, lambda _progress: None)
        pipeline.take()
        (waiting,) = pipeline.ledger.pending()
        pipeline.ingest([waiting.batch_id])
        batch = pipeline.ledger.batch(waiting.batch_id)
        run = published(settings, instance)
        latest = instance.get_latest_materialization_event(dg.AssetKey("validated_records"))
    assert latest is not None
    assert latest.asset_materialization is not None
    results: dict[str, Any] = {
        "batch": (batch.rows_landed, batch.rows_valid, batch.reasons, batch.state),
        "quarantine": [rows.to_pylist() for rows in stores.documents.read_quarantine(batch.batch_id)],
        **{table: stores.warehouse.open(part).fingerprint for table, part in batch.parts.items()},
        **{f"{name}, published": run[name]["fingerprint"].value for name in PUBLISHED[1:]},
    }
    return results, {**run["daily_activity"], "validation": latest.asset_materialization.metadata}


def published(settings: Settings, instance: dg.DagsterInstance) -> dict[str, Any]:
    """The metadata of some tables of a release."""
    from marketing_platform.definitions import build_definitions

    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    run = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(name) for name in PUBLISHED])
    return {name: run.asset_materializations_for_node(name)[0].metadata for name in PUBLISHED}


def test_a_file_on_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MASTER": "local[2]", "PARTITIONS": "2", "DRIVER_HOST": "127.0.0.1"}.items():
        monkeypatch.setenv(f"MARKETING_SPARK_{name}", value)
    write_sample(tmp_path / "sample", users=60, events=1500)
    content = (tmp_path / "sample" / FILE).read_bytes()
    here, metadata = made(tmp_path / "here", content, "duckdb")
    assert not any(name.startswith("cost/") for name in (*metadata, *metadata["validation"]))
    there, metadata = made(tmp_path / "there", content, "spark")
    assert there == here
    assert metadata["cost/bytes_read"].value > 0
    assert metadata["validation"]["cost/rows"].value == 3  # chunks
