"""From scores to the best items of each user, in blocks of users so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.training import Matrix

# Scores of a block of users that are held at once as an array, in bytes.
_BLOCK_BYTES = 64 << 20

Scores = Callable[[np.ndarray], Matrix]


@dataclass(frozen=True)
class Ranked:
    """The best items of some users, best first: users x k."""

    items: np.ndarray  # columns of the training, -1 where a user has no further item
    scores: np.ndarray  # 0 where there is no item


def best_items(
    scores: Scores,
    rows: np.ndarray,
    *,
    items: int,
    k: int,
    leave_out: Matrix | None = None,
    among: Matrix | None = None,
) -> Ranked:
    """The `k` items with the highest score above 0 for each of `rows`; of equal ones the first by id.

    `leave_out` (users x items, CSR) names what is not to be ranked, such as what a user took;
    `among` what alone is.
    """
    blocks = [
        _best_of_block(scores(block), block, items, k, leave_out, among) for block in blocks_of(rows, items)
    ]
    if not blocks:
        return Ranked(np.zeros((0, k), np.int64), np.zeros((0, k), np.float32))
    return Ranked(
        np.concatenate([one.items for one in blocks]), np.concatenate([one.scores for one in blocks])
    )


def blocks_of(rows: np.ndarray, items: int) -> Iterator[np.ndarray]:
    """The rows in portions whose scores fit."""
    size = max(1, _BLOCK_BYTES // max(1, items * 4))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _best_of_block(
    scores: Matrix, rows: np.ndarray, items: int, k: int, leave_out: Matrix | None, among: Matrix | None
) -> Ranked:
    found = scores.toarray() if sparse.issparse(scores) else np.array(scores, np.float32)
    if leave_out is not None:
        found[leave_out[rows].nonzero()] = 0
    if among is not None:
        found = np.where(among[rows].toarray() > 0, found, 0)
    found = found.astype(np.float32, copy=False)
    width = min(k, items)
    best = np.full((len(rows), k), -1, np.int64)
    of_best = np.zeros((len(rows), k), np.float32)
    if not width or not len(rows):
        return Ranked(best, of_best)
    # Everything from the k-th best score up is sorted, so that equal scores are in order of id.
    bar = np.partition(found, items - width, axis=1)[:, items - width]
    row, column = np.nonzero((found >= bar[:, None]) & (found > 0))
    value = found[row, column]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    sizes = np.bincount(row, minlength=len(rows))
    place = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = place < width
    best[row[kept], place[kept]] = column[kept]
    of_best[row[kept], place[kept]] = value[kept]
    return Ranked(best, of_best)
