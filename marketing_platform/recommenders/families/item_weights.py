"""Models whose score is a sum over what the user took: item neighbours, RP3beta, EASE and SLIM.

The score of item i for user u is the sum of weights[j, i] over the items j that u took, so each
of those items is a cause with exactly its weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families.evidence import (
    Evidence,
    evidence,
    of_entries,
    pairs_of_entries,
)
from marketing_platform.recommenders.training import Matrix

# Entries of a product of matrices that are held at once; some 50 bytes each.
_BLOCK_ENTRIES = 8 << 20

# From entries of a product, their rows and their columns to what they are worth.
Reweigh = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class ItemWeights:
    """Implements `Model` for weights between items, CSR or array, items x items."""

    def __init__(self, history: Matrix, weights: Matrix) -> None:
        self._history = history
        self._weights = weights

    def scores(self, rows: np.ndarray) -> Matrix:
        return self._history[rows] @ self._weights

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        own = self._history[rows]
        if self._by_column is not None:
            return [of_entries("item", own.multiply(self._by_column[items]).tocsr())]
        pair = pairs_of_entries(own)
        return [evidence("item", pair, own.indices, own.data * self._weights[own.indices, items[pair]])]

    @cached_property
    def _by_column(self) -> Matrix | None:
        """Sparse weights turned over: only explanations need them so."""
        return by_column(self._weights) if sparse.issparse(self._weights) else None


def row_of(matrix: Matrix, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of a row of a CSR matrix, some ten times as fast as to slice it."""
    span = slice(*matrix.indptr[row : row + 2])
    return matrix.indices[span], matrix.data[span]


def by_column(matrix: Matrix) -> Matrix:
    """The matrix turned over, with ascending indices."""
    turned = matrix.T.tocsr()
    turned.sort_indices()
    return turned


def best_of_products(left: Matrix, right: Matrix, reweigh: Reweigh, *, keep: int) -> Matrix:
    """The `keep` largest entries above 0 of each row of left @ right, reweighed, without the diagonal.

    `left` is n x m, `right` m x n, both CSR. Of equal entries the first are kept. Memory is bounded by a
    block of rows of the product beside the result, CSR, n x n.
    """
    parts = [
        _largest_of_rows(product, start, reweigh, keep) for start, product in product_blocks(left, right)
    ]
    return sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((left.shape[0],) * 2)


def product_blocks(left: Matrix, right: Matrix) -> Iterator[tuple[int, Matrix]]:
    """left @ right (CSR) in blocks of rows, each with the number of its first row."""
    width = right.shape[1]
    # Rows of the product cannot have more entries than there are products to add up.
    most = np.minimum(left.astype(bool).astype(np.float64) @ np.diff(right.indptr), width)
    until = np.cumsum(most)
    start = 0
    while start < left.shape[0]:
        held = until[start] - most[start] + _BLOCK_ENTRIES
        stop = max(start + 1, int(np.searchsorted(until, held, side="right")))
        yield start, (left[start:stop] @ right).tocsr()
        start = stop


def _largest_of_rows(product: Matrix, first: int, reweigh: Reweigh, keep: int) -> Matrix:
    product.sort_indices()
    sizes = np.diff(product.indptr)
    rows = np.repeat(np.arange(first, first + len(sizes)), sizes)
    values = reweigh(product.data, rows, product.indices)
    values = np.where(product.indices == rows, 0, values)
    chosen = np.zeros(len(values), bool)
    for start, end in pairwise(product.indptr.tolist()):
        chosen[start:end] = _largest(values[start:end], keep)
    starts = np.concatenate([[0], np.cumsum(chosen)])[product.indptr]
    return sparse.csr_matrix(
        (values[chosen].astype(np.float32), product.indices[chosen], starts), shape=product.shape
    )


def _largest(values: np.ndarray, keep: int) -> np.ndarray:
    if len(values) <= keep:
        return values > 0
    bar = max(np.partition(values, len(values) - keep)[len(values) - keep], np.finfo(np.float64).tiny)
    chosen = values > bar
    equal = np.flatnonzero(values == bar)
    chosen[equal[: keep - np.count_nonzero(chosen)]] = True
    return chosen
