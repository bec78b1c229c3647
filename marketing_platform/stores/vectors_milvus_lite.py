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
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.milvus_rows import (
    BATCH_ROWS,
    batches,
    checked_rows,
    collection_schema,
    neighbour,
    refuse_directionless,
    repeated_ids,
)
from marketing_platform.stores.named_folders import NamedFolders
from marketing_platform.stores.protocols import Neighbour

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_DIRECTORY = "milvus.db"  # pymilvus takes only this ending for Milvus Lite
_COLLECTION = "vectors"
# Beside the collection the ids of its records: Milvus Lite needs seconds to list them.
_IDS = "record_ids.arrow"
_NOTHING = pa.chunked_array([], pa.string())
_FLUSH_ROWS = 20_000  # a flush holds every number as a Python object, 12 KB per row of 384
_TIMEOUT_SECONDS = 30.0
_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\r": "\\r",
}  # in string literals of Milvus, backslash first
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
        # By the hidden folder, which is never changed: to count opens the collection, which takes seconds.
        self._counted: dict[str, int] = {}

    def write(self, name: str, chunks: Iterable[pa.Table], *, dim: int, base: str | None = None) -> int:
        """Store a collection; with `base`, insert and delete only what differs from that one.

        ValueError for a vector that is zero, not finite or not `dim` long, for a missing id, and
        for a record id that repeats. A record that `base` already has is taken to be the same.
        """
        with self._folders.replace(name) as folder:
            known = _NOTHING if base is None else self._clone(base, folder)
            with _milvus(folder / _DIRECTORY) as client:
                if base is None:
                    _create(client, dim)
                ids = _write(client, chunks, dim, known)
            feather.write_feather(pa.table({"record_id": ids}), folder / _IDS)
            self._counted[folder.name] = len(ids)
        return len(ids)

    def open(self, name: str) -> MilvusLiteReader:
        """A reader of `name`; UnknownName when nothing complete is there."""
        return MilvusLiteReader(self._opened(name))

    def exact(self, name: str) -> bool:
        """Always: Milvus Lite compares every vector."""
        return True

    def count(self, name: str) -> int:
        """How many records `name` holds, counted by Milvus when it was written or else now."""
        with self._folders.open(name) as folder:
            written = folder.path.name
        if written not in self._counted:
            with self._opened(name) as client:
                self._counted[written] = _count(client)
        return self._counted[written]

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
            return feather.read_table(folder.path / _IDS)["record_id"]


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


def _write(
    client: MilvusClient, chunks: Iterable[pa.Table], dim: int, known: pa.ChunkedArray
) -> pa.ChunkedArray:
    """Bring a collection of the `known` records to exactly the given ones; returns their ids."""
    given: list[pa.Array] = []
    unflushed = 0
    with _reported("write"):
        for batch in batches(chunks):
            given.append(batch["record_id"].cast(pa.string()))
            new = batch.filter(pc.invert(pc.is_in(given[-1], value_set=known)))
            if new.num_rows:
                client.insert(_COLLECTION, checked_rows(new, dim))
            unflushed += new.num_rows
            if unflushed >= _FLUSH_ROWS:
                client.flush(_COLLECTION)
                unflushed = 0
        ids = pa.chunked_array(given, pa.string())
        gone = known.filter(pc.invert(pc.is_in(known, value_set=ids)))
        for start in range(0, len(gone), BATCH_ROWS):
            client.delete(_COLLECTION, filter=_is_one_of(gone[start : start + BATCH_ROWS].to_pylist()))
        client.flush(_COLLECTION)
        count = _count(client)
    if count != len(ids):
        raise repeated_ids(len(ids), count)
    return ids


def _is_one_of(ids: list[str]) -> str:
    """A filter of quoted ids: `delete(ids=…)` of pymilvus quotes them without escaping."""
    return f"record_id in [{', '.join(map(_literal, ids))}]"


def _literal(text: str) -> str:
    for character, escaped in _ESCAPES.items():
        text = text.replace(character, escaped)
    return f'"{text}"'


def _count(client: MilvusClient) -> int:
    return int(client.get_collection_stats(_COLLECTION)["row_count"])
