"""Raw and quarantined records as documents in MongoDB.

A server that is no replica set has no transactions. So the records of a batch are written under
a version that nobody reads yet, and then one small document in `batches` is changed to say which
version counts: readers follow it and see all of a batch or nothing. Versions that lost, or that
a killed process left, go with the next write of the batch.

The `_id` of a record is `<batch>.<version>.<ordinal>`, so that MongoDB's own index on `_id` gives a
batch in order, a range of it is one version, and a repeated insert cannot double a record. The record
itself stays text: it must come back byte for byte. One that is longer than a document may be (16 MB)
continues in the documents after it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
from pymongo.errors import PyMongoError

from marketing_platform.errors import StoreUnavailable, UnknownBatch
from marketing_platform.stores.mongo_sessions import Document, MongoSession, ids_below
from marketing_platform.stores.mongo_settings import MongoSettings
from marketing_platform.stores.protocols import QUARANTINE_SCHEMA, RAW_SCHEMA
from marketing_platform.stores.raw_chunks import written_out

_RAW = "raw_records"
_QUARANTINE = "quarantined_records"
_QUARANTINE_CHUNK = 10_000
_LONGEST = 3_000_000  # characters; at most 12 MB of UTF-8


class MongoDocuments:
    """Implements `Documents` in one database."""

    def __init__(self, settings: MongoSettings) -> None:
        self._session = MongoSession(settings)

    def write_raw(self, batch_id: str, chunks: Iterable[pa.Table], *, ingested_at: datetime) -> int:
        """Replace the raw records of a batch; returns how many there are now."""
        batch = {"batch": _short(batch_id), "ingested_at": ingested_at}
        return self._write(_RAW, batch_id, map(written_out, chunks), "defect", batch)

    def read_raw(self, batch_id: str, *, chunk_rows: int) -> Iterator[pa.Table]:
        """The raw records of a batch, in order of ordinal."""
        return self._read(_RAW, batch_id, RAW_SCHEMA, chunk_rows, None)

    def read_compact(self, batch_id: str, *, chunk_rows: int) -> Iterator[pa.Table]:
        """As `read_raw`: a document is all there is of a record."""
        return self.read_raw(batch_id, chunk_rows=chunk_rows)

    def count_raw(self, batch_id: str) -> int:
        """How many raw records of a batch are kept; 0 for an unknown one."""
        with self._session.reaching():
            batch: Document | None = self._session.read(lambda: self._batches.find_one(batch_id))
        return int(batch[_RAW]["rows"]) if batch is not None and _RAW in batch else 0

    def write_quarantine(self, batch_id: str, chunks: Iterable[pa.Table]) -> int:
        """Replace the quarantined records of a batch; UnknownBatch when it has no raw records."""
        with self._session.reaching():
            if self._session.read(lambda: self._batches.find_one(batch_id, {"_id": 1})) is None:
                raise UnknownBatch(f"batch {batch_id!r} has no raw records; land it before it is judged")
        return self._write(_QUARANTINE, batch_id, chunks, "reasons", {})

    def read_quarantine(self, batch_id: str, *, limit: int | None = None) -> Iterator[pa.Table]:
        """The quarantined records of a batch, in order of ordinal, at most `limit`."""
        return self._read(_QUARANTINE, batch_id, QUARANTINE_SCHEMA, _QUARANTINE_CHUNK, limit)

    def drop(self, batch_id: str) -> None:
        """Forget a batch's records; first what says that they count."""
        with self._session.reaching():
            self._session.write(lambda: self._batches.delete_one({"_id": batch_id}))
            for kind in (_RAW, _QUARANTINE):
                self._remove(kind, {"_id": ids_below(_short(batch_id))})

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def _batches(self) -> Any:
        return self._session.database["batches"]

    def _write(
        self,
        kind: str,
        batch_id: str,
        chunks: Iterable[pa.Table],
        last_column: str,
        batch: Mapping[str, Any],
    ) -> int:
        version = f"{_short(batch_id)}.{uuid.uuid4().hex[:12]}"
        collection = self._session.database[kind]
        rows = 0
        with self._session.reaching():
            try:
                for chunk in chunks:
                    self._session.insert(collection, list(_documents(chunk, version, last_column)))
                    rows += chunk.num_rows
            except BaseException:
                with suppress(PyMongoError):  # else the next write of the batch removes it
                    self._remove(kind, {"_id": ids_below(version)})
                raise
            change = {"$set": {**batch, kind: {"version": version, "rows": rows}}}
            self._session.write(
                lambda: self._batches.update_one({"_id": batch_id}, change, upsert=bool(batch))
            )
            with suppress(PyMongoError):
                self._remove(
                    kind, {"_id": ids_below(_short(batch_id)), "$nor": [{"_id": ids_below(version)}]}
                )
        return rows

    def _remove(self, kind: str, which: Document) -> None:
        self._session.write(lambda: self._session.database[kind].delete_many(which))

    def _read(
        self, kind: str, batch_id: str, schema: pa.Schema, chunk_rows: int, limit: int | None
    ) -> Iterator[pa.Table]:
        with self._session.reaching():
            batch: Document | None = self._session.read(lambda: self._batches.find_one(batch_id))
            if batch is None or kind not in batch:
                return
            version, rows = batch[kind]["version"], batch[kind]["rows"]
            wanted = rows if limit is None else min(limit, rows)
            read = 0
            for records in self._chunks(kind, version, schema, chunk_rows):
                chunk = records.slice(0, wanted - read)
                read += chunk.num_rows
                if chunk.num_rows:
                    yield chunk
                if read == wanted:
                    return
        if read < wanted:
            raise StoreUnavailable(
                f"{self._session.settings.where}: batch {batch_id} was replaced while it was read;"
                " read it again"
            )

    def _chunks(self, kind: str, version: str, schema: pa.Schema, chunk_rows: int) -> Iterator[pa.Table]:
        cursor = self._session.database[kind].find({"_id": ids_below(version)}).sort("_id", 1)
        with cursor.batch_size(chunk_rows):
            waiting: list[Document] = []
            for record in _whole(cursor):
                waiting.append(record)
                if len(waiting) == chunk_rows:
                    yield _table(waiting, schema)
                    waiting = []
            if waiting:
                yield _table(waiting, schema)


def _short(batch_id: str) -> str:
    """Stands for a batch in its records; the ids of batches are long, and may hold any character."""
    return hashlib.sha256(batch_id.encode()).hexdigest()[:16]


def _documents(chunk: pa.Table, version: str, last_column: str) -> Iterator[Document]:
    columns = (chunk[name].to_pylist() for name in ("ordinal", "document", last_column))
    for ordinal, document, last in zip(*columns, strict=True):
        key = f"{version}.{ordinal:012d}"
        record = {"_id": key, "ordinal": ordinal, "document": document[:_LONGEST], last_column: last}
        yield record
        if len(document) > _LONGEST:
            starts = range(_LONGEST, len(document), _LONGEST)
            record["pieces"] = len(starts)
            for number, start in enumerate(starts):
                yield {"_id": f"{key}.{number:04d}", "document": document[start : start + _LONGEST]}


def _whole(documents: Iterable[Document]) -> Iterator[Document]:
    """The records, long ones put together again; the pieces of one come right after it."""
    pieces = iter(documents)
    for record in pieces:
        more = [piece["document"] for piece in islice(pieces, record.get("pieces", 0))]
        if len(more) < record.get("pieces", 0):
            return  # removed meanwhile; whoever counts the records notices
        if more:
            record["document"] = "".join([record["document"], *more])
        yield record


def _table(records: list[Document], schema: pa.Schema) -> pa.Table:
    return pa.table(
        [pa.array([record[field.name] for record in records], field.type) for field in schema], schema=schema
    )
