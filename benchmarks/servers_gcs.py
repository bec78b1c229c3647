"""From a landed object in a bucket to raw records in MongoDB: our way beside the bare clients.

The bare side downloads the object in one piece, reads it with `csv`, and stores the same documents with
`insert_many`, unordered, into an empty collection. It keeps no copy of what it read, knows no hash of
it, finds no defect, and its records appear one by one.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pymongo

from benchmarks.pairs import Figures, timed_in_turns
from marketing_platform.sources import SourceSpec, load_source, read_rows
from marketing_platform.stores.documents_mongo import MongoDocuments
from marketing_platform.stores.gcs_sessions import GcsSession
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.mongo_settings import MongoSettings
from marketing_platform.stores.objects_gcs import GcsObjects

_NAME = "benchmark.csv"
_BATCH = "benchmark.csv@1"
_BARE = "benchmark_records"
_CHUNK_ROWS = 10_000
_COLUMNS = ("event_id", "user_id", "occurred_at", "event_type", "campaign_id", "message")
_DECLARED = f"""
source: benchmark
description: Events.
path: {_NAME}
format: {{type: csv}}
tables: {{events: {{columns: {{event_id: event_id, user_id: user_id}}}}}}
"""


def compare(gcs: GcsSettings, mongo: MongoSettings, *, rows: int = 50_000, rounds: int = 2) -> Figures:
    """Store the same object's records with both, taking turns so that a busy machine slows both."""
    objects = GcsObjects(gcs)
    landed = objects.put(_NAME, [_content(rows)])
    spec = _declaration()
    figures = timed_in_turns(
        "documents",
        "records from Cloud Storage into MongoDB",
        rows,
        ours=lambda: _timed(objects, spec, mongo),
        theirs=lambda: _timed_bare(gcs, mongo),
        rounds=rounds,
    )
    return replace(figures, note=f"one object of {landed.size / 1e6:.1f} MB")


def _content(rows: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    message = "Where is my order? It was due."
    writer.writerows(
        (f"e-{n}", f"user-{n % 5000}", f"2026-07-01T{n % 24:02}:00:00Z", "view", f"c-{n % 20}", message)
        for n in range(rows)
    )
    return text.getvalue().encode()


def _declaration() -> SourceSpec:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "benchmark.yaml")
        file.write_text(_DECLARED)
        return load_source(file)


def _timed(objects: GcsObjects, spec: SourceSpec, mongo: MongoSettings) -> float:
    documents = MongoDocuments(mongo)
    started = time.perf_counter()
    (landed,) = objects.list()
    content_hash, _ = objects.snapshot(landed)
    with objects.open(content_hash) as content:
        chunks = read_rows(content, spec, chunk_rows=_CHUNK_ROWS, max_cell_bytes=1 << 20)
        documents.write_raw(_BATCH, chunks, ingested_at=datetime(2026, 7, 1, tzinfo=UTC))
    took = time.perf_counter() - started
    documents.drop(_BATCH)
    documents.close()
    return took


def _timed_bare(gcs: GcsSettings, mongo: MongoSettings) -> float:
    session = GcsSession(gcs)  # the client itself, for the same endpoint and credentials
    with pymongo.MongoClient(**mongo.client()) as client:
        collection = client[mongo.database][_BARE]
        started = time.perf_counter()
        content = session.landing.blob(gcs.prefix + _NAME).download_as_bytes(**session.patience)
        records = enumerate(csv.DictReader(io.StringIO(content.decode(), newline="")))
        while chunk := list(islice(records, _CHUNK_ROWS)):
            collection.insert_many(_documents(chunk), ordered=False)
        took = time.perf_counter() - started
        collection.drop()
    return took


def _documents(records: Sequence[tuple[int, dict[str, str]]]) -> list[dict[str, object]]:
    return [
        {
            "_id": f"benchmark.{ordinal:012d}",
            "ordinal": ordinal,
            "document": json.dumps(record, ensure_ascii=False),
            "defect": None,
        }
        for ordinal, record in records
    ]
