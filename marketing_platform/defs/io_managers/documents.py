"""Documents per batch: the raw records as they landed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa

from marketing_platform.ingestion.side_by_side import ahead
from marketing_platform.stores.protocols import Documents


@dataclass(frozen=True)
class RawBatches:
    """For each batch something that yields its records when called, so that none waits in memory."""

    readers: Mapping[str, Callable[[], Iterable[pa.Table]]]


class DocumentsIOManager(dg.IOManager):
    """Stores and loads, for each batch of the run, something that yields chunks (`stores/raw_chunks.py`)."""

    def __init__(self, documents: Documents, *, chunk_rows: int) -> None:
        self._documents = documents
        self._chunk_rows = chunk_rows

    def handle_output(self, context: dg.OutputContext, obj: RawBatches) -> None:
        """Write batch by batch, each in one transaction."""
        now = datetime.now(UTC)
        rows = 0
        for batch_id, read in obj.readers.items():
            written = self._documents.write_raw(batch_id, ahead(read()), ingested_at=now)
            context.log.info(f"{batch_id}: {written:,} raw records")
            context.step_context.add_asset_metadata(
                {"dagster/partition_row_count": written}, partition_key=batch_id
            )
            rows += written
        context.add_output_metadata(
            {
                "rows_of_this_run": rows,
                "batches": len(obj.readers),
                "ingested_at": dg.MetadataValue.timestamp(now),
            }
        )

    def load_input(self, context: dg.InputContext) -> RawBatches:
        """The batches of the run, read when iterated."""
        return RawBatches({batch_id: self._reader(batch_id) for batch_id in context.asset_partition_keys})

    def _reader(self, batch_id: str) -> Callable[[], Iterator[pa.Table]]:
        return lambda: self._documents.read_compact(batch_id, chunk_rows=self._chunk_rows)
