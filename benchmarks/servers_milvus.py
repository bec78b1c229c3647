"""Writing vectors to Milvus: the store beside the bare client with the same records and the same index."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa

from benchmarks.pairs import Figures, timed_in_turns
from marketing_platform.stores.milvus_settings import MilvusSettings
from marketing_platform.stores.vector_recall import recall
from marketing_platform.stores.vectors_milvus import MilvusVectors

_NAME = "benchmark_vectors"
_BARE = "benchmark_bare"
_DIM = 384
_QUERIES = 100


def compare(settings: MilvusSettings, *, vectors: int = 20_000, rounds: int = 2) -> Figures:
    """Write the same vectors with both, taking turns so that a busy machine slows both."""
    store = MilvusVectors(settings.model_copy(update={"keep_dropped_seconds": 0.0}))
    rows = _records(vectors)

    def ours() -> float:
        started = time.perf_counter()
        store.write(_NAME, [rows], dim=_DIM)
        return time.perf_counter() - started

    figures = timed_in_turns(
        "vectors",
        "vectors into Milvus",
        vectors,
        ours=ours,
        theirs=lambda: _timed_bare(settings, rows),
        rounds=rounds,
    )
    reader = store.open(_NAME)
    queries = np.array(rows["text_embedding"].slice(0, _QUERIES).to_pylist(), np.float32)
    found = recall(reader, queries, [rows], limit=10)
    reader.close()
    store.drop(_NAME)
    return replace(figures, note=f"recall at 10 against every vector compared: {found:.4f}")


def _records(rows: int) -> pa.Table:
    numbers = np.random.default_rng(1).normal(size=rows * _DIM).astype(np.float32)
    return pa.table(
        {
            "record_id": [f"batch@0123456789ab:{row}" for row in range(rows)],
            "user_id": [f"user-{row % 1000}" for row in range(rows)],
            "text_embedding": pa.FixedSizeListArray.from_arrays(pa.array(numbers), _DIM),
        }
    )


def _timed_bare(settings: MilvusSettings, rows: pa.Table) -> float:
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(**settings.connection(), dedicated=True)
    started = time.perf_counter()
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("record_id", DataType.VARCHAR, is_primary=True, max_length=65_535)
    schema.add_field("user_id", DataType.VARCHAR, max_length=65_535)
    schema.add_field("text_embedding", DataType.FLOAT_VECTOR, dim=_DIM)
    client.create_collection(_BARE, schema=schema)
    for batch in rows.to_batches(max_chunksize=2_000):
        numbers = batch["text_embedding"].flatten().to_numpy().reshape(-1, _DIM)
        names = zip(batch["record_id"].to_pylist(), batch["user_id"].to_pylist(), numbers, strict=True)
        client.insert(
            _BARE,
            [
                {"record_id": record, "user_id": user, "text_embedding": vector}
                for record, user, vector in names
            ],
        )
    client.flush(_BARE)
    index = client.prepare_index_params()
    large = rows.num_rows >= settings.index_from_rows
    index.add_index(
        "text_embedding",
        index_type="HNSW" if large else "FLAT",
        metric_type="COSINE",
        params={"M": 32, "efConstruction": 200} if large else {},
    )
    client.create_index(_BARE, index)
    seconds = time.perf_counter() - started
    client.drop_collection(_BARE)
    client.close()
    return seconds
