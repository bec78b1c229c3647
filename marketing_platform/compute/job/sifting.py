"""Raw records typed, judged and divided on executors, by the code that does so in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa

from marketing_platform.compute.job.session import Session, spark_schema
from marketing_platform.compute.jobs import SIFTED_SCHEMA, Sifting, rows_written
from marketing_platform.errors import ComputeUnavailable
from marketing_platform.gates import RowGate, Split, load_suites
from marketing_platform.ingestion.validation import sift as sift_chunk
from marketing_platform.sources import load_sources
from marketing_platform.stores.arrow_bytes import table_bytes
from marketing_platform.stores.protocols import RAW_SCHEMA

# A chunk is one Arrow batch, whatever its number of rows.
_NO_LIMIT = 2**31 - 1


def sift(session: Session, job: Sifting) -> int:
    """Divide every staged chunk; how many chunks there were."""
    chunks = session.chunks(job.records, RAW_SCHEMA, rows=_NO_LIMIT)
    chunks.mapInArrow(_sifter(job), spark_schema(SIFTED_SCHEMA)).write.parquet(str(job.output))
    return rows_written(job.output)


def _sifter(job: Sifting) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    spec = {one.source: one for one in load_sources(job.sources_dir)}[job.source]
    suites = load_suites(job.expectations_dir)
    if (spec.fingerprint, suites.fingerprint) != job.declared:
        raise ComputeUnavailable("sources or expectations changed while the job was started; run it again")

    # One split per chunk: what is doubtful in several is judged together only where they are in one process.
    def divide(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        gate = RowGate(suites, now=job.landed_at)
        for batch in batches:
            chunk = pa.Table.from_batches([batch])
            if not chunk.num_rows:
                continue
            parted, _ = sift_chunk(chunk, job.batch_id, spec, gate)
            yield pa.RecordBatch.from_pylist([_row(chunk, parted)], schema=SIFTED_SCHEMA)

    return divide


def _row(chunk: pa.Table, parted: Split) -> dict[str, Any]:
    """The other direction of `on_spark._split`."""
    return {
        "first": chunk["ordinal"][0].as_py(),
        "rows_landed": parted.rows_landed,
        "rows_valid": parted.rows_valid,
        "unreadable": parted.unreadable,
        "quarantine": table_bytes(parted.quarantine),
        "tables": [(name, table_bytes(rows)) for name, rows in parted.tables.items()],
    }
