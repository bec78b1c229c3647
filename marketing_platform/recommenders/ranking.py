"""From scores to the best items of each user, in blocks of users so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.training import Matrix

# Scores of a block of users that are held at once as an array, in bytes.
_BLOCK_BYTES = 16 << 20
# Groups of items whose best are looked at first: more of them need more time, fewer let more items pass.
_GROUPS_PER_ITEM, _LARGEST_GROUP = 8, 64
# Sparse scores with fewer entries than this share of all cells are not spread out into an array.
_SPARSE_SHARE = 0.25

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


def filled_places(free: np.ndarray, offered: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which free places of each row (bool, rows x places) take which of what is offered, both in order.

    `offered` is bool, rows x others. Returns rows, places and columns of `offered`.
    """
    row, place = np.nonzero(free)
    giver, column = np.nonzero(offered)
    number, given = rank_within(row), rank_within(giver)
    source = np.full((len(free), int(number.max(initial=-1)) + 1), -1, np.int64)
    wanted = given < source.shape[1]
    source[giver[wanted], given[wanted]] = column[wanted]
    found = source[row, number]
    return row[found >= 0], place[found >= 0], found[found >= 0]


def rank_within(groups: np.ndarray) -> np.ndarray:
    """0, 1, 2, … within each run of equal values that stand together (n): n, int64."""
    starts = run_starts(groups)
    return np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))


def run_starts(groups: np.ndarray) -> np.ndarray:
    """Where each run of equal values (n) begins: places in ascending order, int64, as many as runs."""
    begins = np.ones(len(groups), bool)
    begins[1:] = groups[1:] != groups[:-1]
    return np.flatnonzero(begins)


def blocks_of(rows: np.ndarray, items: int) -> Iterator[np.ndarray]:
    """The rows in portions whose scores fit."""
    size = max(1, _BLOCK_BYTES // max(1, items * 4))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _best_of_block(
    scores: Matrix, rows: np.ndarray, items: int, k: int, leave_out: Matrix | None, among: Matrix | None
) -> Ranked:
    width = min(k, items)
    best = np.full((len(rows), k), -1, np.int64)
    of_best = np.zeros((len(rows), k), np.float32)
    if not width or not len(rows):
        return Ranked(best, of_best)
    left_out = None if leave_out is None else leave_out[rows]
    wanted = None if among is None else among[rows]
    if sparse.issparse(scores) and scores.nnz < _SPARSE_SHARE * len(rows) * items:
        row, column, value = _best_of_entries(scores.tocsr(), width, left_out, wanted)
    elif _is_shared(scores) and wanted is None:
        row, column, value = _best_of_shared(scores, width, left_out)
    else:
        row, column, value = _best_of_array(_array(scores), width, left_out, wanted)
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    place = rank_within(row)
    kept = place < width
    best[row[kept], place[kept]] = column[kept]
    of_best[row[kept], place[kept]] = value[kept]
    return Ranked(best, of_best)


# Each of the three finds, for every row, at least everything from its k-th best score up (so that equal
# scores can be put in order of id): row, column and score.
_Entries = tuple[np.ndarray, np.ndarray, np.ndarray]


def _best_of_array(found: np.ndarray, k: int, left_out: Matrix | None, wanted: Matrix | None) -> _Entries:
    if left_out is not None:
        found[left_out.nonzero()] = 0
    if wanted is not None:
        found = np.where(wanted.toarray() > 0, found, 0)
    bar = low_bars(found, k)
    cell = np.flatnonzero((found >= np.maximum(bar, np.finfo(np.float32).tiny)[:, None]).ravel())
    row, column = np.divmod(cell, found.shape[1])
    return row, column, found[row, column]


def low_bars(found: np.ndarray, k: int) -> np.ndarray:
    """A score for each row that its k best reach, and few others: much cheaper than the k-th best itself.

    Columns are dealt out to groups. At least k items are as good as the k-th best of the groups' best.
    """
    groups = max(_GROUPS_PER_ITEM * k, found.shape[1] // _LARGEST_GROUP)
    size = found.shape[1] // groups
    best = found
    if size > 1:
        best = found[:, : size * groups].reshape(len(found), size, groups).max(axis=1)
    at = best.shape[1] - k
    return np.partition(best, at, axis=1)[:, at]


def _best_of_shared(scores: np.ndarray, k: int, left_out: Matrix | None) -> _Entries:
    """One row of scores for all users: only as many items count as anybody has left out, and k more."""
    most = k + int(np.diff(left_out.indptr).max()) if left_out is not None else k
    at = max(0, scores.shape[1] - most)
    bar = np.partition(scores[0], at)[at]
    columns = np.flatnonzero((scores[0] >= bar) & (scores[0] > 0))
    if len(columns) < k:
        return _best_of_array(_array(scores), k, left_out, None)
    among_them = None if left_out is None else left_out[:, columns]
    row, column, value = _best_of_array(_array(scores[:, columns]), k, among_them, None)
    return row, columns[column], value


def _best_of_entries(scores: Matrix, k: int, left_out: Matrix | None, wanted: Matrix | None) -> _Entries:
    sizes = np.diff(scores.indptr)
    row = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    column, value = scores.indices, scores.data.astype(np.float32)  # a copy
    cell = row.astype(np.int64) * scores.shape[1] + column
    if left_out is not None:
        value[_marked(left_out)[cell]] = 0
    if wanted is not None:
        value[~_marked(wanted)[cell]] = 0
    kept = (value >= _bars(value, row, sizes, k)[row]) & (value > 0)
    return row[kept], column[kept], value[kept]


def _bars(value: np.ndarray, row: np.ndarray, sizes: np.ndarray, k: int) -> np.ndarray:
    """The k-th best score of each row; 0 for rows that have no more than k. Rows of about equal length
    are looked at together, as an array that is at most twice as large as what it holds."""
    bars = np.zeros(len(sizes), np.float32)
    width = k
    while width < sizes.max(initial=0):
        least, width = width, 2 * width
        among = (sizes > least) & (sizes <= width)
        if among.any():
            filled = np.zeros((int(among.sum()), width), np.float32)
            filled[np.arange(width) < sizes[among, None]] = value[among[row]]
            bars[among] = np.partition(filled, width - k, axis=1)[:, width - k]
    return bars


def _marked(matrix: Matrix) -> np.ndarray:
    """Which cells of the block have an entry above 0, flat."""
    marked = np.zeros(matrix.shape, bool)
    marked[matrix.nonzero()] = True
    return marked.ravel()


def _is_shared(scores: Matrix) -> bool:
    return not sparse.issparse(scores) and np.asarray(scores).strides[0] == 0


def _array(scores: Matrix) -> np.ndarray:
    """A copy in single precision."""
    return np.array(scores.toarray() if sparse.issparse(scores) else scores, np.float32)
