"""Models whose score is a sum over what the user took: item neighbours, RP3beta, EASE and SLIM.

The score of item i for user u is the sum of weights[j, i] over the items j that u took, so each
of those items is a cause with exactly its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families.protocol import Cause
from marketing_platform.recommenders.training import Matrix

# Figures of a block of columns that are held at once, in bytes.
_BLOCK_BYTES = 128 << 20


class ItemWeights:
    """Implements `Model` for weights between items, CSR or array, items x items."""

    def __init__(self, history: Matrix, weights: Matrix) -> None:
        self._history = history
        self._weights = weights

    def scores(self, rows: np.ndarray) -> Matrix:
        return self._history[rows] @ self._weights

    def causes(self, row: int, item: int) -> list[Cause]:
        own, amounts = row_of(self._history, row)
        return named_causes("item", own, amounts * self._weights_to(own, item))

    def _weights_to(self, items: np.ndarray, item: int) -> np.ndarray:
        if self._by_column is None:
            return self._weights[items, item]
        return entries_at(*row_of(self._by_column, item), items)

    @cached_property
    def _by_column(self) -> Matrix | None:
        """Sparse weights turned over: only explanations need them so."""
        return by_column(self._weights) if sparse.issparse(self._weights) else None


def row_of(matrix: Matrix, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of a row of a CSR matrix, some ten times as fast as to slice it."""
    span = slice(*matrix.indptr[row : row + 2])
    return matrix.indices[span], matrix.data[span]


def by_column(matrix: Matrix) -> Matrix:
    """The matrix turned over, with ascending indices, for `row_of` and `entries_at`."""
    turned = matrix.T.tocsr()
    turned.sort_indices()
    return turned


def entries_at(places: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The values at the places that are wanted, 0 where there is none; `places` ascend."""
    if not len(places):
        return np.zeros(len(wanted), values.dtype)
    found = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
    return np.where(places[found] == wanted, values[found], 0)


def named_causes(kind: str, places: np.ndarray, weights: np.ndarray) -> list[Cause]:
    """Causes of one kind, the largest first; what does not raise the score is none."""
    order = np.lexsort((places, -weights))
    return [Cause(kind, int(places[at]), float(weights[at])) for at in order if weights[at] > 0]  # pyright: ignore[reportArgumentType]


def best_of_products(
    left: Matrix, right: Matrix, reweigh: Callable[[np.ndarray, np.ndarray], np.ndarray], *, keep: int
) -> Matrix:
    """The `keep` largest entries of each column of left @ right, reweighed, without the diagonal.

    `left` is n x m, `right` m x n; `reweigh` gets a block of the product (n x columns) and the
    numbers of its columns. Only a block of columns is dense at a time. Returns CSR, n x n.
    """
    size = left.shape[0]
    width = max(1, _BLOCK_BYTES // max(1, size * 8))
    by_column = right.tocsc()
    parts: list[Matrix] = []
    for start in range(0, size, width):
        columns = np.arange(start, min(start + width, size))
        block = (left @ by_column[:, columns]).toarray()
        block = reweigh(block, columns)
        block[columns, np.arange(len(columns))] = 0
        parts.append(_largest_per_column(block, keep))
    return sparse.hstack(parts, format="csr") if parts else sparse.csr_matrix((size, size))


def _largest_per_column(block: np.ndarray, keep: int) -> Matrix:
    if keep < block.shape[0]:
        bar = np.partition(block, block.shape[0] - keep, axis=0)[block.shape[0] - keep]
        block = np.where(block >= np.maximum(bar, np.finfo(np.float64).tiny), block, 0)
    return sparse.csc_matrix(np.maximum(block, 0).astype(np.float32))
