"""Vectors in Milvus Lite, one data directory per collection, through pymilvus' public client.

Milvus Lite lets one process open a data directory. Its Parquet segments are never changed after
they are written, so every reader opens a private clone of hard links: that costs milliseconds,
and any number of processes reads one collection. A new version starts as such a clone too.

pymilvus takes two seconds and pandas to import, so nothing does before the first use.

There is no index: Milvus Lite searches exhaustively either way, and its FLAT index would only
store every vector a second time (twice the disk and the time to open).
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.milvus_lite_files import CollectionFiles
from marketing_platform.stores.milvus_rows import (
    RECORD,
    USER,
    batches,
    checked,
    collection_schema,
    neighbour,
    record_batch,
    refuse_directionless,
    repeated_ids,
)
from marketing_platform.stores.named_folders import NamedFolders
from marketing_platform.stores.protocols import Neighbour, VectorChange

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_DIRECTORY = "milvus.db"  # pymilvus takes only this ending for Milvus Lite
_COLLECTION = "vectors"
# Beside the collection the ids of its records: Milvus Lite needs seconds to list them.
_IDS = "record_ids.arrow"
_NOTHING = pa.chunked_array([], pa.string())
_TIMEOUT_SECONDS = 30.0
_IMMUTABLE = {".parquet", ".idx"}


class MilvusLiteReader:
    """Implements `VectorReader`; the clone it reads is removed by `close`."""

    def __init__(self, opened: AbstractContextManager[MilvusClient]) -> None:
        self._opened = opened
        self._client = opened.__enter__()

    def search(self, vectors: np.ndarray, *, limit: int) -> list[list[Neighbour]]:
        """For each row of `vectors` (n x dim float32) its nearest records by cosine, best first."""
        if not len(vectors):
            return []
        refuse_directionless(vectors, lambda row: f"query {row}")
        with _reported("search"):
            found = self._client.search(
                _COLLECTION,
                list(np.ascontiguousarray(vectors, dtype=np.float32)),
                limit=limit,
                output_fields=["user_id"],
                search_params={"metric_type": "COSINE"},
                timeout=_TIMEOUT_SECONDS,
            )
        return [[neighbour(hit) for hit in hits] for hits in found]

    def close(self) -> None:
        """Stop Milvus Lite on the clone and remove it."""
        self._opened.__exit__(None, None, None)


class MilvusLiteVectors:
    """Implements `Vectors` below one folder."""

    def __init__(self, root: Path) -> None:
        self._folders = NamedFolders(root, "collection of vectors")

    def write(
        self, name: str, chunks: Iterable[pa.Table], *, dim: int, change: VectorChange | None = None
    ) -> int:
        """Store a collection; with `change`, add and remove only what differs from its base.

        ValueError for a vector that is zero, not finite or not `dim` long, for a missing id, and
        for a record id that repeats.
        """
        with self._folders.replace(name) as folder:
            files = folder / _DIRECTORY / "collections" / _COLLECTION
            if change is None:
                with _milvus(folder / _DIRECTORY) as client:
                    _create(client, dim)
                known, added = _NOTHING, chunks
                collection = CollectionFiles(files)
            else:
                known, added = self._clone(change.base, folder), change.added
                collection = CollectionFiles(files)
                known = _without(known, change.removed, collection)
            ids = _with(known, added, collection, dim)
            collection.commit()
            feather.write_feather(pa.table({RECORD: ids}), folder / _IDS)
        return len(ids)

    def open(self, name: str) -> MilvusLiteReader:
        """A reader of `name`; UnknownName when nothing complete is there."""
        return MilvusLiteReader(self._opened(name))

    def exact(self, name: str) -> bool:
        """Always: Milvus Lite compares every vector."""
        return True

    def count(self, name: str) -> int:
        """How many records `name` holds, by the list of their ids: Milvus Lite would read every vector."""
        with self._folders.open(name) as folder:
            return len(_ids_in(folder.path))

    def names(self) -> list[str]:
        """Every complete collection."""
        return self._folders.names()

    def drop(self, name: str) -> None:
        """Remove a collection; readers keep their clones."""
        self._folders.drop(name)

    @contextmanager
    def _opened(self, name: str) -> Generator[MilvusClient]:
        with self._folders.private() as folder:
            self._clone(name, folder)
            with _milvus(folder / _DIRECTORY) as client, _reported("load_collection"):
                client.load_collection(_COLLECTION, timeout=_TIMEOUT_SECONDS)
                yield client

    def _clone(self, name: str, target: Path) -> pa.ChunkedArray:
        """Make `target` hold the collection too; returns the ids of its records."""
        with self._folders.open(name) as folder:
            shutil.copytree(
                folder.path / _DIRECTORY,
                target / _DIRECTORY,
                copy_function=_link_or_copy,
                ignore=shutil.ignore_patterns("LOCK", "*.tmp"),
            )
            return _ids_in(folder.path)


def _ids_in(folder: Path) -> pa.ChunkedArray:
    return feather.read_table(folder / _IDS, memory_map=True)[RECORD]


def _link_or_copy(source: str, target: str) -> None:
    """Share what Milvus Lite writes once and never opens for writing again; copy what it rewrites."""
    if Path(source).suffix in _IMMUTABLE:
        try:
            os.link(source, target)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, target)
    else:
        shutil.copyfile(source, target)


@contextmanager
def _milvus(directory: Path) -> Generator[MilvusClient]:
    """Milvus Lite on a data directory of our own, stopped after the block."""
    from milvus_lite.server_manager import server_manager_instance
    from pymilvus import MilvusClient

    uri = str(directory.resolve())
    with _reported("open"):
        client = MilvusClient(uri, timeout=_TIMEOUT_SECONDS)
    try:
        yield client
    finally:
        client.close()
        server_manager_instance.release_server(uri)


@contextmanager
def _reported(what: str) -> Generator[None]:
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        raise StoreUnavailable(f"Milvus Lite failed to {what}: {error.message}") from error


def _create(client: MilvusClient, dim: int) -> None:
    with _reported("create_collection"):
        client.create_collection(_COLLECTION, schema=collection_schema(dim), timeout=_TIMEOUT_SECONDS)


def _without(
    known: pa.ChunkedArray, removed: Iterable[pa.Table], collection: CollectionFiles
) -> pa.ChunkedArray:
    """Remove records from a collection of the `known` ones; returns the ids of those that stay."""
    asked = pa.chunked_array(
        (chunk.cast(pa.string()) for table in removed for chunk in table[RECORD].chunks), pa.string()
    )
    gone = pc.is_in(known, value_set=asked)
    collection.remove(known.filter(gone))
    return known.filter(pc.invert(gone))


def _with(
    known: pa.ChunkedArray, added: Iterable[pa.Table], collection: CollectionFiles, dim: int
) -> pa.ChunkedArray:
    """Add records to a collection of the `known` ones; returns the ids of all."""
    given: list[pa.Array] = []

    def noted() -> Iterator[pa.RecordBatch]:
        for batch in batches(added):
            rows = record_batch(batch[RECORD], batch[USER], checked(batch, dim))
            given.append(rows[RECORD])
            yield rows

    collection.add(noted())
    ids = pa.chunked_array([*known.chunks, *given], pa.string())
    distinct = pc.count_distinct(ids).as_py()
    if distinct != len(ids):
        raise repeated_ids(len(ids), distinct)
    return ids
