"""How much of what an exact search finds an approximate one does: for metadata and gates."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from marketing_platform.stores.protocols import VectorReader

_TIE = 1e-5  # cosines in float32 that differ by less are equal


def recall(reader: VectorReader, queries: np.ndarray, chunks: Iterable[pa.Table], *, limit: int) -> float:
    """The share of the `limit` nearest records that `reader` finds, 0..1, over all `queries` (n x dim).

    `chunks` are the tables that were written; they are compared one by one. A hit is right when it is
    as near as the last of the exact ones: records with the same text stand for each other.
    ValueError when there is nothing to find.
    """
    wanted = _unit(queries)
    nearest = np.full((len(wanted), 0), -1.0, dtype=np.float32)
    for chunk in chunks:
        vectors = chunk["text_embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        cosines = wanted @ _unit(vectors.reshape(-1, wanted.shape[1])).T
        nearest = -np.sort(-np.hstack([nearest, cosines]), axis=1)[:, :limit]
    if not nearest.size:
        raise ValueError("recall needs at least one query and one record")
    found = reader.search(queries, limit=limit)
    right = sum(
        sum(hit.score >= worst - _TIE for hit in hits)
        for hits, worst in zip(found, nearest[:, -1], strict=True)
    )
    return float(right / nearest.size)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """The rows as float32 of length one."""
    rows = np.asarray(vectors, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
