"""Who is similar: mean vectors per user, and exact nearest neighbours by cosine.

Vectors come from `encoders`; what similar users lead to is in `campaigns`. Search is exact and
in large batches: 100,000 x 384 take minutes on two cores and need no index to build or to tune.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

_DIGITS = 6
_TILE_ROWS = 2048
# A mean shorter than this is rounding left over from vectors that cancel out.
_SMALLEST_NORM = 1e-6


def user_vectors(user_ids: Sequence[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The mean of each user's vectors (n x dim), of unit length; users in order of id.

    Zero vectors (empty messages) do not count; a user with no other has no vector and is left out.
    """
    return user_vectors_of(user_ids, np.arange(len(user_ids)), np.ones(len(user_ids)), vectors)


def user_vectors_of(
    user_ids: Sequence[str], rows: np.ndarray, times: np.ndarray, vectors: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """The same when many messages share a vector: `user_ids[i]` wrote `vectors[rows[i]]` `times[i]` times."""
    users = sorted(set(user_ids))
    if not users:
        return [], np.zeros((0, vectors.shape[1]), np.float32)
    place = {user: position for position, user in enumerate(users)}
    places = np.fromiter((place[user] for user in user_ids), np.int64, len(user_ids))
    shape = (len(users), len(vectors))
    written = sparse.csr_matrix((np.asarray(times, np.float32), (places, rows)), shape=shape)
    # A user's mean and sum have one direction, and only that is kept.
    sums = np.asarray(written @ vectors, np.float32)
    norms = np.linalg.norm(sums, axis=1)
    kept = np.flatnonzero(norms > _SMALLEST_NORM)
    return [users[position] for position in kept], sums[kept] / norms[kept, None]


def nearest(vectors: np.ndarray, *, k: int, tile_rows: int = _TILE_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """For each row the k other rows with the largest cosine, best first: indices and scores.

    Both results are n x min(k, others): int64 row numbers and float32 cosines rounded to 6 digits,
    equal ones in order of row number. A zero vector is never found, and its own row holds -1 and
    0. Memory is bounded by two tiles of scores beside vectors and results.
    """
    norms = np.linalg.norm(vectors, axis=1)
    real = np.flatnonzero(norms > 0)
    width = max(0, min(k, len(real) - 1))
    indices = np.full((len(vectors), width), -1, np.int64)
    scores = np.zeros((len(vectors), width), np.float32)
    if not width:
        return indices, scores
    units = (vectors[real] / norms[real, None]).astype(np.float32)
    columns, cosines = _nearest_of_units(units, width, max(tile_rows, width + 1))
    indices[real] = real[columns]
    scores[real] = cosines
    return indices, scores


def _nearest_of_units(units: np.ndarray, k: int, tile: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best columns of each row, kept up to date while tiles of scores pass.

    The first tile sets a bar for each row, the k-th best so far. Of later tiles only the few
    scores above it are looked at again, which is much cheaper than sorting every tile. Cosine is
    symmetric: a tile serves its rows and, turned over, its columns, so half of them are computed.
    """
    starts = range(0, len(units), tile)
    best = [_Best(len(units[start : start + tile]), k) for start in starts]
    for row, row_start in enumerate(starts):
        for column in range(row, len(starts)):
            cosines = units[row_start : row_start + tile] @ units[starts[column] : starts[column] + tile].T
            if column == row:
                np.fill_diagonal(cosines, -np.inf)
            else:
                best[column].take(cosines.T, row_start)
            best[row].take(cosines, starts[column])
    return (
        np.concatenate([one.columns for one in best]).reshape(-1, k),
        np.concatenate([one.scores for one in best]).reshape(-1, k),
    )


class _Best:
    """The best k of each row so far, flat and in order of row, score and column."""

    def __init__(self, rows: int, k: int) -> None:
        self._k = k
        self._rows = np.zeros(0, np.int64)
        self._bar = np.full(rows, -np.inf, np.float32)
        self.columns = np.zeros(0, np.int64)
        self.scores = np.zeros(0, np.float32)

    def take(self, cosines: np.ndarray, first_column: int) -> None:
        """Consider the scores of further columns; they must come in ascending order."""
        bar = self._bar[:, None]
        if not len(self.columns):
            at = cosines.shape[1] - self._k
            bar = np.partition(cosines, at, axis=1)[:, at : at + 1] - 10.0**-_DIGITS
        rows, columns = np.nonzero(cosines > bar)
        rounded = np.clip(np.round(cosines[rows, columns], _DIGITS), -1, 1)
        self._merge(rows, columns + first_column, rounded)

    def _merge(self, rows: np.ndarray, columns: np.ndarray, scores: np.ndarray) -> None:
        rows = np.concatenate([self._rows, rows])
        columns = np.concatenate([self.columns, columns])
        scores = np.concatenate([self.scores, scores])
        order = np.lexsort((columns, -scores, rows))
        sizes = np.bincount(rows, minlength=len(self._bar))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        kept = order[rank < self._k]
        self._rows, self.columns, self.scores = rows[kept], columns[kept], scores[kept]
        full = np.flatnonzero(sizes >= self._k)
        last = np.cumsum(np.minimum(sizes, self._k))[full] - 1
        # Half a step: what rounds to the bar itself comes later in order of column, and loses.
        self._bar[full] = self.scores[last] + 0.5 * 10.0**-_DIGITS
