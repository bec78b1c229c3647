"""How much of what an exact search finds an approximate one does: for metadata and gates."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from marketing_platform.stores.milvus_rows import VECTOR
from marketing_platform.stores.protocols import VectorReader, Vectors

LIMIT = 10
_QUERIES = 200
_AT_ONCE = 20  # queries per search, so that each ends well within a store's deadline
_TIE = 1e-5  # cosines in float32 that differ by less are equal


@dataclass(frozen=True)
class Recall:
    """A share, 0..1, and what it was found by."""

    share: float
    how: str


def recall_of(vectors: Vectors, name: str, read: Callable[[], Iterable[pa.Table]]) -> Recall:
    """Recall at 10 of the collection `name`, for 200 of its own vectors; `read` gives what was written.

    A store that compares every vector is not measured: it finds what there is. The queries are the same
    for the same records, whatever their order.
    """
    if vectors.exact(name):
        return Recall(1.0, "exact by design: every vector is compared")
    queries = _sample(read())
    reader = vectors.open(name)
    try:
        share = recall(reader, queries, read(), limit=LIMIT)
    finally:
        reader.close()
    return Recall(share, f"{len(queries)} of its vectors, {LIMIT} nearest, against comparing every vector")


def recall(reader: VectorReader, queries: np.ndarray, chunks: Iterable[pa.Table], *, limit: int) -> float:
    """The share of the `limit` nearest records that `reader` finds, 0..1, over all `queries` (n x dim).

    `chunks` are the tables that were written; they are compared one by one. A hit is right when it is
    as near as the last of the exact ones: records with the same text stand for each other.
    ValueError when there is nothing to find.
    """
    wanted = _unit(queries)
    nearest = np.full((len(wanted), 0), -1.0, dtype=np.float32)
    for chunk in chunks:
        cosines = wanted @ _unit(_matrix(chunk, wanted.shape[1])).T
        nearest = _largest(np.hstack([nearest, cosines]), limit)
    if not nearest.size:
        raise ValueError("recall needs at least one query and one record")
    found = [
        hits
        for start in range(0, len(queries), _AT_ONCE)
        for hits in reader.search(queries[start : start + _AT_ONCE], limit=limit)
    ]
    right = sum(
        sum(hit.score >= worst - _TIE for hit in hits)
        for hits, worst in zip(found, nearest.min(axis=1), strict=True)
    )
    return float(right / nearest.size)


def _sample(chunks: Iterable[pa.Table]) -> np.ndarray:
    """The vectors of the records whose ids have the smallest hashes: chance that repeats itself."""
    best: list[tuple[int, str, np.ndarray]] = []
    for chunk in chunks:
        vectors = _matrix(chunk, -1)
        ids: list[str] = chunk["record_id"].to_pylist()
        hashes = (int.from_bytes(blake2b(record.encode(), digest_size=8).digest(), "big") for record in ids)
        found = heapq.nsmallest(_QUERIES, zip(hashes, ids, range(len(ids)), strict=True))
        best += [(value, record, vectors[row]) for value, record, row in found]
        best = heapq.nsmallest(_QUERIES, best, key=lambda entry: entry[:2])
    return np.array([vector for _, _, vector in best])


def _matrix(chunk: pa.Table, dim: int) -> np.ndarray:
    """The vectors of a chunk, rows x dim; -1 for as many as there are."""
    flat = chunk[VECTOR].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(chunk), -1) if dim < 0 else flat.reshape(-1, dim)


def _largest(cosines: np.ndarray, limit: int) -> np.ndarray:
    """The `limit` largest of each row, in no order."""
    return cosines if cosines.shape[1] <= limit else np.partition(cosines, -limit, axis=1)[:, -limit:]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """The rows as float32 of length one."""
    rows = np.asarray(vectors, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
