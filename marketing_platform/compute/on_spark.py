"""The large work as Spark jobs: what is staged for a job, and what becomes of its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any

import pyarrow as pa

from marketing_platform.compute.jobs import Run, Sifting, results
from marketing_platform.compute.spark_encoder import SparkEncoder
from marketing_platform.compute.spark_warehouse import SparkWarehouse
from marketing_platform.compute.staging import stage
from marketing_platform.encoders import Encoder
from marketing_platform.gates import Split, Suites
from marketing_platform.ingestion.validation import sift_all
from marketing_platform.settings import Settings
from marketing_platform.sources import SourceSpec
from marketing_platform.stores.arrow_bytes import table_from
from marketing_platform.stores.named_folders import NamedFolders
from marketing_platform.stores.protocols import RAW_SCHEMA, Warehouse
from marketing_platform.stores.raw_chunks import written_out


class OnSpark:
    """Implements `Compute`; `run` launches a job. Nothing is started before there is work."""

    def __init__(self, settings: Settings, run: Run) -> None:
        self._settings = settings
        self._run = run
        self._folders = NamedFolders(settings.data_dir.resolve() / "compute", "job")

    def warehouse(self, warehouse: Warehouse) -> Warehouse:
        """One whose `create` runs on Spark."""
        return SparkWarehouse(warehouse, self._run, self._folders)

    def encoder(self, encoder: Callable[[], Encoder]) -> Encoder:
        """The local model on every executor; a provider limits how often it is asked, so one process asks."""
        if self._settings.encoder != "minilm":
            return encoder()
        return SparkEncoder(encoder, self._run, self._folders, self._settings.data_dir.resolve() / "models")

    def sift(
        self, chunks: Iterable[pa.Table], batch_id: str, spec: SourceSpec, suites: Suites, landed_at: datetime
    ) -> Iterator[Split]:
        """One task per chunk; a batch of a single chunk has nothing to divide and is sifted here."""
        chunks = iter(chunks)
        first = list(islice(chunks, 2))
        chunks = chain(first, chunks)
        if len(first) < 2:  # noqa: PLR2004 -- one chunk, or none
            yield from sift_all(chunks, batch_id, spec, suites, landed_at)
            return
        with self._folders.private() as folder:
            records = stage(map(written_out, chunks), RAW_SCHEMA, folder / "records")
            sifted = folder / "sifted"
            job = Sifting(
                records=records,
                batch_id=batch_id,
                source=spec.source,
                landed_at=landed_at,
                sources_dir=self._settings.sources_dir.resolve(),
                expectations_dir=self._settings.expectations_dir.resolve(),
                declared=(spec.fingerprint, suites.fingerprint),
                output=sifted,
            )
            self._run(job)
            for rows in results(sifted, batch_rows=1, by="first"):
                yield from map(_split, rows.to_pylist())


def _split(row: dict[str, Any]) -> Split:
    """A row of SIFTED_SCHEMA."""
    return Split(
        tables={name: table_from(rows) for name, rows in row["tables"]},
        quarantine=table_from(row["quarantine"]),
        rows_landed=row["rows_landed"],
        rows_valid=row["rows_valid"],
        unreadable=row["unreadable"],
    )
