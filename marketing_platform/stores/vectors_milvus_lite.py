"""Vectors in Milvus Lite, one data directory per collection, through pymilvus' public client.

Milvus Lite lets one process open a data directory. Its Parquet segments are never changed after
they are written, so every reader opens a private clone of hard links: that costs milliseconds,
and any number of processes reads one collection. A new version starts as such a clone too.

pymilvus takes two seconds and pandas to import, so nothing does before the first use.

There is no index: Milvus Lite searches exhaustively either way, and its FLAT index would only
store every vector a second time (twice the disk and the time to open).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.named_folders import NamedFolders
from marketing_platform.stores.protocols import Neighbour

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_DIRECTORY = "milvus.db"  # pymilvus takes only this ending for Milvus Lite
_COLLECTION = "vectors"
_COLUMNS = ["record_id", "user_id", "text_embedding"]
_LONGEST_TEXT = 65_535  # bytes; Milvus allows no more in a VARCHAR
_BATCH_ROWS = 2_000  # larger ones are not faster (Milvus Lite checks every number in Python), only bigger
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
        _refuse_directionless(vectors, lambda row: f"query {row}")
        with _reported("search"):
            found = self._client.search(
                _COLLECTION,
                list(np.ascontiguousarray(vectors, dtype=np.float32)),
                limit=limit,
                output_fields=["user_id"],
                search_params={"metric_type": "COSINE"},
                timeout=_TIMEOUT_SECONDS,
            )
        return [[_neighbour(hit) for hit in hits] for hits in found]

    def close(self) -> None:
        """Stop Milvus Lite on the clone and remove it."""
        self._opened.__exit__(None, None, None)


class MilvusLiteVectors:
    """Implements `Vectors` below one folder."""

    def __init__(self, root: Path) -> None:
        self._folders = NamedFolders(root, "collection of vectors")

    def write(self, name: str, chunks: Iterable[pa.Table], *, dim: int, base: str | None = None) -> int:
        """Store a collection; with `base`, insert and delete only what differs from that one.

        ValueError for a vector that is zero, not finite or not `dim` long, for a missing id, and
        for a record id that repeats. A record that `base` already has is taken to be the same.
        """
        with self._folders.replace(name) as folder:
            directory = folder / _DIRECTORY
            if base is not None:
                self._clone(base, directory)
            with _milvus(directory) as client:
                if base is None:
                    _create(client, dim)
                return _write(client, chunks, dim)

    def open(self, name: str) -> MilvusLiteReader:
        """A reader of `name`; UnknownName when nothing complete is there."""
        return MilvusLiteReader(self._opened(name))

    def count(self, name: str) -> int:
        """How many records `name` holds, counted by Milvus."""
        with self._opened(name) as client:
            return _count(client)

    def names(self) -> list[str]:
        """Every complete collection."""
        return self._folders.names()

    def drop(self, name: str) -> None:
        """Remove a collection; readers keep their clones."""
        self._folders.drop(name)

    @contextmanager
    def _opened(self, name: str) -> Generator[MilvusClient]:
        with self._folders.private() as folder:
            self._clone(name, folder / _DIRECTORY)
            with _milvus(folder / _DIRECTORY) as client, _reported("load_collection"):
                client.load_collection(_COLLECTION, timeout=_TIMEOUT_SECONDS)
                yield client

    def _clone(self, name: str, target: Path) -> None:
        with self._folders.open(name) as folder:
            shutil.copytree(
                folder.path / _DIRECTORY,
                target,
                copy_function=_link_or_copy,
                ignore=shutil.ignore_patterns("LOCK", "*.tmp"),
            )


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
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("record_id", DataType.VARCHAR, is_primary=True, max_length=_LONGEST_TEXT)
    schema.add_field("user_id", DataType.VARCHAR, max_length=_LONGEST_TEXT)
    schema.add_field("text_embedding", DataType.FLOAT_VECTOR, dim=dim)
    with _reported("create_collection"):
        client.create_collection(_COLLECTION, schema=schema, timeout=_TIMEOUT_SECONDS)


def _write(client: MilvusClient, chunks: Iterable[pa.Table], dim: int) -> int:
    """Bring the collection to exactly the given records; returns their number."""
    stored = _ids(client)
    gone, given, unflushed = set(stored), 0, 0
    with _reported("write"):
        for batch in _batches(chunks):
            given += batch.num_rows
            gone.difference_update(batch["record_id"].to_pylist())
            rows = [row for row in _rows(batch, dim) if row["record_id"] not in stored]
            if rows:
                client.insert(_COLLECTION, rows)
            unflushed += len(rows)
            if unflushed >= _FLUSH_ROWS:
                client.flush(_COLLECTION)
                unflushed = 0
        for start in range(0, len(ids := sorted(gone)), _BATCH_ROWS):
            client.delete(_COLLECTION, filter=_is_one_of(ids[start : start + _BATCH_ROWS]))
        client.flush(_COLLECTION)
        count = _count(client)
    if count != given:
        raise ValueError(
            f"{given} records were given but {count} are stored: record ids repeat; make them unique"
        )
    return count


def _is_one_of(ids: list[str]) -> str:
    """A filter of quoted ids: `delete(ids=…)` of pymilvus quotes them without escaping."""
    return f"record_id in [{', '.join(map(_literal, ids))}]"


def _literal(text: str) -> str:
    for character, escaped in _ESCAPES.items():
        text = text.replace(character, escaped)
    return f'"{text}"'


def _batches(chunks: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    for chunk in chunks:
        yield from chunk.select(_COLUMNS).to_batches(max_chunksize=_BATCH_ROWS)


def _rows(batch: pa.RecordBatch, dim: int) -> list[dict[str, Any]]:
    ids = batch["record_id"].to_pylist()
    users = batch["user_id"].to_pylist()
    if None in ids or None in users:
        raise ValueError("a vector needs both record_id and user_id; leave records without a user out")
    vectors = batch["text_embedding"].flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    if vectors.size != len(ids) * dim:
        raise ValueError(
            f"text_embedding must have {dim} numbers in every row, found {vectors.size} in {len(ids)} rows"
        )
    vectors = vectors.reshape(len(ids), dim)
    _refuse_directionless(vectors, lambda row: f"record {ids[row]!r}")
    return [
        {"record_id": record, "user_id": user, "text_embedding": vector}
        for record, user, vector in zip(ids, users, vectors, strict=True)
    ]


def _refuse_directionless(vectors: np.ndarray, called: Callable[[int], str]) -> None:
    usable = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
    if not usable.all():
        raise ValueError(
            f"{called(int(np.argmin(usable)))} has a zero or not finite vector, "
            "which is near to nothing by cosine; leave it out"
        )


def _ids(client: MilvusClient) -> set[str]:
    with _reported("query"):
        if not _count(client):
            return set()
        client.load_collection(_COLLECTION, timeout=_TIMEOUT_SECONDS)
        rows = client.query(_COLLECTION, filter="record_id != ''", output_fields=["record_id"])
    return {row["record_id"] for row in rows}


def _count(client: MilvusClient) -> int:
    return int(client.get_collection_stats(_COLLECTION)["row_count"])


def _neighbour(hit: Any) -> Neighbour:
    # Rounding in float32 leaves a vector's similarity with itself a little above 1.
    return Neighbour(hit["record_id"], hit["entity"]["user_id"], min(1.0, max(-1.0, float(hit["distance"]))))
