"""EASE: the linear model of items by items in closed form, and a sparse form for many items.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019. Above `dense_items` items the
inverse no longer fits; then each item's weights are the ridge regression on its `neighbours` items
most taken with it alone, as in the sparse approximation of Steck, "Markov Random Fields for
Collaborative Filtering", NeurIPS 2019, with one neighbourhood per item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import linalg, sparse

from marketing_platform.recommenders.families.item_weights import ItemWeights, best_of_products
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training

# Above so many items single precision: half the memory, and the penalty keeps the inverse stable.
_DOUBLE_ITEMS = 6_000
_SOLVED_AT_ONCE = 512


@dataclass(frozen=True)
class Ease:
    """Weights without a diagonal that reproduce who took what best, under a penalty on their squares."""

    penalty: float = 300.0
    dense_items: int = 20_000
    neighbours: int = 100  # per item, in the sparse form

    needs: ClassVar[frozenset[str]] = frozenset()
    spans: ClassVar[Mapping[str, Span]] = {"penalty": Span(10, 3_000, log=True)}

    def fit(self, training: Training) -> ItemWeights:
        taken = training.taken
        if len(training.items) <= self.dense_items:
            return ItemWeights(taken, _dense(taken, self.penalty))
        return ItemWeights(taken, _sparse(taken, self.penalty, self.neighbours))


def taken_together(taken: Matrix) -> np.ndarray:
    """How many users took both of two items: items x items, on the diagonal those who took one."""
    together = (taken.T @ taken).toarray()
    return together.astype(np.float64 if together.shape[0] <= _DOUBLE_ITEMS else np.float32)


def inverse(symmetric: np.ndarray) -> np.ndarray:
    """The inverse of a positive definite matrix, in its own memory; only the lower half is read."""
    factor, inverted = linalg.lapack.get_lapack_funcs(("potrf", "potri"), (symmetric,))
    # LAPACK wants columns: the transposed view of a symmetric matrix is the matrix.
    lower, failed = factor(symmetric.T, lower=True, overwrite_a=True)
    if failed:
        raise np.linalg.LinAlgError(f"not positive definite (LAPACK says {failed})")
    found, _ = inverted(lower, lower=True, overwrite_c=True)
    upper = np.triu_indices(found.shape[0], 1) if found.shape[0] <= _DOUBLE_ITEMS else None
    if upper is not None:
        found[upper] = found.T[upper]
        return found
    for row in range(found.shape[0]):  # the indices of a large half would take more than the matrix
        found[row, row + 1 :] = found[row + 1 :, row]
    return found


def _dense(taken: Matrix, penalty: float) -> np.ndarray:
    together = taken_together(taken)
    together[np.diag_indices_from(together)] += penalty
    weights = inverse(together)
    weights /= -np.diag(weights).copy()
    np.fill_diagonal(weights, 0)
    return weights


def _sparse(taken: Matrix, penalty: float, neighbours: int) -> Matrix:
    """Column i solves the regression of item i on the items most taken with it."""
    by_item = taken.T.tocsr()
    sizes = np.diff(by_item.indptr).astype(np.float64)
    near = best_of_products(
        by_item,
        taken,
        lambda block, columns: block / np.sqrt(np.maximum(sizes[:, None] * sizes[columns], 1)),
        keep=neighbours,
    ).tocsc()
    counts = (by_item @ taken).tocsr()
    counts.sort_indices()
    entries: list[Matrix] = []
    for start in range(0, near.shape[1], _SOLVED_AT_ONCE):
        entries.append(_solve(counts, near[:, start : start + _SOLVED_AT_ONCE], start, penalty))
    return sparse.hstack(entries, format="csr")


def _solve(counts: Matrix, near: Matrix, first: int, penalty: float) -> Matrix:
    weights: list[np.ndarray] = []
    for offset in range(near.shape[1]):
        places = near.indices[near.indptr[offset] : near.indptr[offset + 1]]
        among = counts[places][:, places].toarray().astype(np.float64)
        among[np.diag_indices_from(among)] += penalty
        target = counts[places, first + offset].toarray().ravel()
        weights.append(np.linalg.solve(among, target) if len(places) else np.zeros(0))
    data = np.concatenate(weights) if weights else np.zeros(0)
    return sparse.csc_matrix((data.astype(np.float32), near.indices, near.indptr), shape=near.shape)
