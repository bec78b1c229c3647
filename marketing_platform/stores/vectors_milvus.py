"""Vectors in a Milvus server, one collection per written name, through pymilvus' public client.

When a name is seen and when it goes: `milvus_generations`. What rows look like: `milvus_rows`.

Fewer than `index_from_rows` vectors are compared one by one (FLAT), which is exact; from there on
a navigable graph answers (HNSW; Malkov and Yashunin, TPAMI 2020), whose recall is to be measured with
`vector_recall.recall` and shown. IVF indexes were not chosen: they need their number of lists tuned to the
size, and reach the same recall more slowly.

How a connection is opened, and how faults are told: `milvus_sessions`. Whoever writes, lists or drops has
the time to wait for a server that is coming back; a reader has not, because requests wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.milvus_generations import Generations, new_collection
from marketing_platform.stores.milvus_rows import (
    RECORD,
    VECTOR,
    batches,
    checked_rows,
    collection_schema,
    neighbour,
    refuse_directionless,
    repeated_ids,
)
from marketing_platform.stores.milvus_sessions import connected, reported
from marketing_platform.stores.milvus_settings import MilvusSettings
from marketing_platform.stores.protocols import Neighbour, VectorChange

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_FLAT = "FLAT"
_HNSW = "HNSW"
_HNSW_BUILD = {"M": 32, "efConstruction": 200}
_NOT_LOADED = 101  # Milvus' code for a collection that is not in memory
_HNSW_CANDIDATES = 512  # vectors looked at per search; more are more exact and slower


class MilvusReader:
    """Implements `VectorReader`; threads share its connection."""

    def __init__(
        self, opened: AbstractContextManager[MilvusClient], settings: MilvusSettings, name: str
    ) -> None:
        self._opened = opened
        self._settings = settings
        self._client = opened.__enter__()
        try:
            with reported(settings, "open"):
                self._collection = Generations(self._client, settings.read_seconds).shown(name)
                self._client.load_collection(self._collection, timeout=settings.build_seconds)
                self._indexed = _indexed(self._client, self._collection, settings.read_seconds)
        except BaseException:
            self.close()
            raise

    def search(self, vectors: np.ndarray, *, limit: int) -> list[list[Neighbour]]:
        """For each row of `vectors` (n x dim float32) its nearest records by cosine, best first.

        StoreUnavailable when there is no answer within `read_seconds`.
        """
        if not len(vectors):
            return []
        refuse_directionless(vectors, lambda row: f"query {row}")
        rows = list(np.ascontiguousarray(vectors, dtype=np.float32))
        with reported(self._settings, "search"):
            return [[neighbour(hit) for hit in hits] for hits in self._search(rows, limit)]

    def close(self) -> None:
        """Close the connection. The collection stays loaded for others until it is removed."""
        self._opened.__exit__(None, None, None)

    def _search(self, rows: list[np.ndarray], limit: int) -> Any:
        from pymilvus.exceptions import MilvusException

        def search() -> Any:
            return self._client.search(
                self._collection,
                rows,
                limit=limit,
                output_fields=["user_id"],
                search_params={"metric_type": "COSINE", "params": self._candidates(limit)},
                timeout=self._settings.read_seconds,
            )

        try:
            return search()
        except MilvusException as error:
            if error.code != _NOT_LOADED:
                raise
            # A server that was started again has forgotten; when loading takes too long, it still goes on.
            self._client.load_collection(self._collection, timeout=self._settings.read_seconds)
            return search()

    def _candidates(self, limit: int) -> dict[str, int]:
        return {"ef": max(_HNSW_CANDIDATES, limit)} if self._indexed else {}


class MilvusVectors:
    """Implements `Vectors`; connects anew for each call, so that it may be sent to other processes."""

    def __init__(self, settings: MilvusSettings) -> None:
        self._settings = settings

    def write(
        self, name: str, chunks: Iterable[pa.Table], *, dim: int, change: VectorChange | None = None
    ) -> int:
        """Store a collection; a server cannot copy one, so that of `change` only the base has to be there.

        ValueError for a vector that is zero, not finite or not `dim` long, for a missing id, and for a
        record id that repeats. StoreUnavailable when Milvus is lost on the way: nothing is seen of it, and
        writing again is safe.
        """
        collection = new_collection(name)
        with connected(self._settings, patient=True) as client, reported(self._settings, "write"):
            generations = Generations(client, self._settings.write_seconds)
            if change is not None:
                generations.shown(change.base)
            generations.remove_left_over(idle_seconds=self._settings.keep_dropped_seconds)
            client.create_collection(
                collection, schema=collection_schema(dim), timeout=self._settings.write_seconds
            )
            try:
                with reported(self._settings, "write"):
                    count = self._fill(client, collection, chunks, dim)
            except StoreUnavailable:
                raise
            except BaseException:
                generations.remove(collection)
                raise
            generations.show(name, collection)
            return count

    def open(self, name: str) -> MilvusReader:
        """A reader of `name`, loaded; UnknownName when nothing complete is there."""
        return MilvusReader(connected(self._settings, patient=False), self._settings, name)

    def exact(self, name: str) -> bool:
        """Whether `name` was too small for a graph index."""
        with connected(self._settings, patient=True) as client, reported(self._settings, "describe an index"):
            collection = Generations(client, self._settings.read_seconds).shown(name)
            return not _indexed(client, collection, self._settings.read_seconds)

    def count(self, name: str) -> int:
        """How many records `name` holds, counted by Milvus."""
        with connected(self._settings, patient=True) as client, reported(self._settings, "count"):
            return self._count(client, Generations(client, self._settings.read_seconds).shown(name))

    def names(self) -> list[str]:
        """Every complete collection."""
        with connected(self._settings, patient=True) as client, reported(self._settings, "list collections"):
            return Generations(client, self._settings.read_seconds).names()

    def drop(self, name: str) -> None:
        """Take the name away; the collection stays for `keep_dropped_seconds`.

        The next write or drop after that removes it.
        """
        with connected(self._settings, patient=True) as client, reported(self._settings, "drop"):
            generations = Generations(client, self._settings.write_seconds)
            generations.hide(name)
            generations.remove_left_over(idle_seconds=self._settings.keep_dropped_seconds)

    def _fill(self, client: MilvusClient, collection: str, chunks: Iterable[pa.Table], dim: int) -> int:
        ids: set[str] = set()
        given = 0
        for batch in batches(chunks):
            rows = checked_rows(batch, dim)
            given += len(rows)
            ids.update(row[RECORD] for row in rows)
            if len(ids) != given:  # a server keeps both of two equal ids, and finds either
                raise repeated_ids(given, len(ids))
            client.insert(collection, rows, timeout=self._settings.write_seconds)
        client.flush(collection, timeout=self._settings.build_seconds)
        stored = self._count(client, collection)
        if stored != given:
            raise StoreUnavailable(
                f"{self._settings.where} was given {given} records but holds {stored}; write again"
            )
        self._index(client, collection, given)
        return given

    def _index(self, client: MilvusClient, collection: str, rows: int) -> None:
        """Built once, behind the rows: faster than growing it with every batch."""
        large = rows >= self._settings.index_from_rows
        wanted = client.prepare_index_params()
        wanted.add_index(
            VECTOR,
            index_type=_HNSW if large else _FLAT,
            metric_type="COSINE",
            params=_HNSW_BUILD if large else {},
        )
        client.create_index(collection, wanted, timeout=self._settings.build_seconds)

    def _count(self, client: MilvusClient, collection: str) -> int:
        found = client.get_collection_stats(collection, timeout=self._settings.read_seconds)
        return int(found["row_count"])


def _indexed(client: MilvusClient, collection: str, seconds: float) -> bool:
    """Whether a graph index answers, which is approximate."""
    return client.describe_index(collection, VECTOR, timeout=seconds)["index_type"] == _HNSW
