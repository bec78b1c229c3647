"""Writing raw records to MongoDB: the store beside the bare client with the same records.

The bare side is `insert_many`, unordered, of the same documents into an empty collection. It has no
version, no batch that becomes visible at once, nothing old to remove, and no record longer than 16 MB.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pymongo

from benchmarks.pairs import Figures, timed_in_turns
from marketing_platform.stores.documents_mongo import MongoDocuments
from marketing_platform.stores.mongo_settings import MongoSettings
from marketing_platform.stores.protocols import RAW_SCHEMA

_BATCH = "benchmark.csv@1"
_BARE = "benchmark_records"


def compare(settings: MongoSettings, *, rows: int = 50_000, rounds: int = 2) -> Figures:
    """Write the same records with both, taking turns so that a busy machine slows both."""
    chunks = [_records(start, min(10_000, rows - start)) for start in range(0, rows, 10_000)]
    documents = MongoDocuments(settings)

    def ours() -> float:
        started = time.perf_counter()
        documents.write_raw(_BATCH, chunks, ingested_at=datetime(2026, 7, 1, tzinfo=UTC))
        took = time.perf_counter() - started
        documents.drop(_BATCH)
        return took

    figures = timed_in_turns(
        "mongo",
        "records into MongoDB",
        rows,
        ours=ours,
        theirs=lambda: _timed_bare(settings, chunks),
        rounds=rounds,
    )
    documents.close()
    return figures


def _records(start: int, rows: int) -> pa.Table:
    ordinals = range(start, start + rows)
    texts = [
        json.dumps({"id": str(n), "user": f"user-{n % 5000}", "text": "Where is my order? It was due."})
        for n in ordinals
    ]
    return pa.table([ordinals, texts, [None] * rows], schema=RAW_SCHEMA)


def _timed_bare(settings: MongoSettings, chunks: Sequence[pa.Table]) -> float:
    with pymongo.MongoClient(**settings.client()) as client:
        collection = client[settings.database][_BARE]
        started = time.perf_counter()
        for chunk in chunks:
            records = chunk.to_pylist()
            for record in records:
                record["_id"] = f"benchmark.{record['ordinal']:012d}"
            collection.insert_many(records, ordered=False)
        took = time.perf_counter() - started
        collection.drop()
    return took
