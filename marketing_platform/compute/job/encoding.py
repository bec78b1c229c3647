"""Distinct texts to vectors on executors, by the model that encodes in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from marketing_platform.compute.job.session import Session, spark_schema
from marketing_platform.compute.jobs import TEXTS_SCHEMA, VECTORS_SCHEMA, Encoding, rows_written
from marketing_platform.encoders import open_encoder
from marketing_platform.encoders.messages import vector_column

_BATCH = 4_096  # texts


def encode(session: Session, job: Encoding) -> int:
    """Encode every staged text; how many there were."""
    texts = session.chunks(job.texts, TEXTS_SCHEMA, rows=_BATCH)
    texts.mapInArrow(_encoder(job), spark_schema(VECTORS_SCHEMA)).write.parquet(str(job.output))
    return rows_written(job.output)


def _encoder(job: Encoding) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def encoded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        encoder = open_encoder(job.models_dir, workers=1)  # a task has a core
        for batch in batches:
            vectors = vector_column(encoder.encode(batch["text"].to_pylist()))
            yield pa.record_batch([batch["row"], vectors.cast(pa.list_(pa.float32()))], schema=VECTORS_SCHEMA)

    return encoded
