"""Who is similar: mean vectors per user, and their nearest neighbours by cosine.

Vectors come from `encoders`; what similar users lead to is in `campaigns`. Each is compared with each here,
up to a number; how more are searched is in `neighbour_lists`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.neighbour_hits import (
    NO_HITS,
    Hits,
    above,
    bar_behind,
    best,
    first_bar,
    joined,
)
from marketing_platform.recommenders.neighbour_lists import nearest_in_lists

EXACT_UP_TO = 20_000  # vectors; comparing each with each then takes a few seconds
_MEASURED = 500
_TIE = 1.5e-6  # rounded cosines that differ by less are equal
_TILE_ROWS = 2048
# A sum of vectors shorter than this is rounding: they cancel out, or are zero.
SMALLEST_NORM = 1e-6


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
    place = {user: position for position, user in enumerate(users)}
    places = np.fromiter((place[user] for user in user_ids), np.int64, len(user_ids))
    kept, means = mean_directions(places, rows, times, vectors, count=len(users))
    return [users[position] for position in kept], means


def mean_directions(
    places: np.ndarray, rows: np.ndarray, times: np.ndarray, vectors: np.ndarray, *, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same for users who are known by a number below `count`: those who have a direction, and it."""
    if not count:
        return np.zeros(0, np.int64), np.zeros((0, vectors.shape[1]), np.float32)
    # Added up in the order given, not of `vectors`: to the same digits wherever a text has its vector.
    order = np.argsort(places, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=count))])
    weights = np.asarray(times, np.float32)[order]
    written = sparse.csr_matrix((weights, rows[order], starts), shape=(count, len(vectors)))
    # A user's mean and sum have one direction, and only that is kept.
    sums = np.asarray(written @ vectors, np.float32)
    norms = np.linalg.norm(sums, axis=1)
    kept = np.flatnonzero(norms > SMALLEST_NORM)
    if len(kept) < count:
        sums, norms = sums[kept], norms[kept]
    sums /= norms[:, None]
    return kept, sums


@dataclass(frozen=True)
class Nearest:
    """For each vector others near to it, best first, and how many of the nearest are among them.

    `indices` (int64 row numbers) and `scores` (float32 cosines rounded to 6 digits) are n x min(k, others),
    equal scores in order of row number; -1 and 0 where there is nobody, and beside a zero vector.
    """

    indices: np.ndarray
    scores: np.ndarray
    recall: float  # 0..1
    how: str  # the recall was found out


def nearest(vectors: np.ndarray, *, k: int, exact_up_to: int = EXACT_UP_TO) -> Nearest:
    """The k nearest of each row by cosine; among more than `exact_up_to` rows, nearly all of them.

    Everybody is compared with everybody up to there, which takes time with the square of the rows; from
    there on see `neighbour_lists`, and the recall is measured. A zero vector is never found.
    """
    norms = np.linalg.norm(vectors, axis=1)
    real = np.flatnonzero(norms > 0)
    width = max(0, min(k, len(real) - 1))
    indices = np.full((len(vectors), width), -1, np.int64)
    scores = np.zeros((len(vectors), width), np.float32)
    how, recall = "exact by design: every pair is compared", 1.0
    if width:
        units = (vectors[real] / norms[real, None]).astype(np.float32)
        if len(real) <= exact_up_to:
            found, scores[real] = compared(units, width)
        else:
            found, scores[real] = nearest_in_lists(units, width)
            recall = _recall(units, scores[real])
            how = f"{_MEASURED} users, {width} nearest of each, against comparing them with everybody"
        indices[real] = np.where(found < 0, found, real[found])
    return Nearest(indices, scores, recall, how)


def compared(units: np.ndarray, k: int, *, tile_rows: int = _TILE_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """The k best others of each row (n x dim, of unit length), exactly: indices and scores, n x k.

    The first tile sets a bar for each row, the k-th best so far. Of later tiles only the few
    scores above it are looked at again, which is much cheaper than sorting every tile. Cosine is
    symmetric: a tile serves its rows and, turned over, its columns, so half of them are computed.
    Memory is bounded by two tiles of scores beside vectors and results.
    """
    tile = max(tile_rows, k + 1)
    starts = range(0, len(units), tile)
    best_of = [_Best(len(units[start : start + tile]), k) for start in starts]
    for row, row_start in enumerate(starts):
        for column in range(row, len(starts)):
            cosines = units[row_start : row_start + tile] @ units[starts[column] : starts[column] + tile].T
            if column == row:
                np.fill_diagonal(cosines, -np.inf)
            else:
                best_of[column].take(cosines.T, row_start)
            best_of[row].take(cosines, starts[column])
    return (
        np.concatenate([one.hits.columns for one in best_of]).reshape(-1, k),
        np.concatenate([one.hits.scores for one in best_of]).reshape(-1, k),
    )


def _recall(units: np.ndarray, scores: np.ndarray) -> float:
    """The share of the nearest that were found (`scores`), by an evenly spread part of the rows.

    One is right when it is as near as the last of the exact ones: equal vectors stand for each other.
    """
    rows = np.unique(np.linspace(0, len(units) - 1, _MEASURED).astype(np.int64))
    exact = _Best(len(rows), scores.shape[1])
    for start in range(0, len(units), _TILE_ROWS):
        cosines = units[rows] @ units[start : start + _TILE_ROWS].T
        inside = np.flatnonzero((rows >= start) & (rows < start + _TILE_ROWS))
        cosines[inside, rows[inside] - start] = -np.inf
        exact.take(cosines, start)
    worst = exact.hits.scores.reshape(len(rows), -1)[:, -1:]
    return float((scores[rows] >= worst - _TIE).mean())


class _Best:
    """The best k of each row so far, flat and in order of row, score and column."""

    def __init__(self, rows: int, k: int) -> None:
        self._k = k
        self._bar = np.full(rows, -np.inf, np.float32)
        self.hits = NO_HITS

    def take(self, cosines: np.ndarray, first_column: int) -> None:
        """Consider the scores of further columns; they must come in ascending order."""
        bar = self._bar if len(self.hits.rows) else first_bar(cosines, self._k)
        new = above(cosines, bar)
        new = Hits(new.rows, new.columns + first_column, new.scores)
        self.hits = best(joined([self.hits, new]), self._k)
        # Half a step up: what rounds to the bar itself comes later in order of column, and loses.
        self._bar = bar_behind(self.hits, len(self._bar), self._k, half_steps=1)
