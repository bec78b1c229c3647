"""Models whose score is a sum over what the user took: item neighbours, RP3beta, EASE and SLIM.

The score of item i for user u is the sum of weights[j, i] over the items j that u took, so each
of those items is a cause with exactly its weight.
"""

from __future__ import annotations

from collections.abc import Callable

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
        own = self._history[row]
        column = self._weights[own.indices, item]
        weights = own.data * (column.toarray().ravel() if sparse.issparse(column) else column)
        return named_causes("item", own.indices, weights)


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
