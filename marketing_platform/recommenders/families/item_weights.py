"""Models whose score is a sum over what the user took: item neighbours, RP3beta, EASE and SLIM.

The score of item i for user u is the sum of weights[j, i] over the items j that u took, so each
of those items is a cause with exactly its weight.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families.evidence import (
    Evidence,
    evidence,
    of_entries,
    pairs_of_entries,
)
from marketing_platform.recommenders.training import Matrix


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
