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

from marketing_platform.recommenders.families.protocol import Cause
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
