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

from marketing_platform.recommenders.families.item_weights import (
    ItemWeights,
    best_of_products,
    product_blocks,
    row_of,
)
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training

# Above so many items single precision: half the memory and time, and the penalty keeps the inverse stable.
_DOUBLE_ITEMS = 3_000


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
    return together.astype(np.float64 if together.shape[0] <= _DOUBLE_ITEMS else np.float32, copy=False)


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
        lambda together, rows, others: together / np.sqrt(sizes[rows] * sizes[others]),
        keep=neighbours,
    )
    counts = _counts_among(near, by_item, taken)
    places = np.full(len(sizes), -1)
    data = [_solve(counts, item, row_of(near, item)[0], penalty, places) for item in range(len(sizes))]
    near.data = np.concatenate(data).astype(np.float32)
    return near.T.tocsr()


def _counts_among(near: Matrix, by_item: Matrix, taken: Matrix) -> Matrix:
    """How many users took both, for every two items of which some item asks: those near it, and itself.

    All counts of many items would not fit; these are at most items x neighbours squared.
    """
    asks = (near + sparse.eye_array(near.shape[0], format="csr")).astype(bool)
    asked_by = asks.T.tocsr()
    parts: list[Matrix] = []
    for start, block in product_blocks(by_item, taken):
        asked = asked_by[start : start + block.shape[0]] @ asks
        parts.append(block.multiply(asked).tocsr().astype(np.float32))
    return sparse.vstack(parts, format="csr")


def _solve(counts: Matrix, item: int, near: np.ndarray, penalty: float, places: np.ndarray) -> np.ndarray:
    """The weights of the items `near` to one; `places` is -1 everywhere, here and afterwards."""
    if not len(near):
        return np.zeros(0)
    places[near] = np.arange(len(near))
    among = np.zeros((len(near), len(near)))
    for row, other in enumerate(near):
        columns, values = row_of(counts, other)
        at = places[columns]
        among[row, at[at >= 0]] = values[at >= 0]
    among[np.diag_indices_from(among)] += penalty
    columns, values = row_of(counts, item)
    at = places[columns]
    target = np.zeros(len(near))
    target[at[at >= 0]] = values[at >= 0]
    places[near] = -1
    return linalg.solve(among, target, assume_a="pos", check_finite=False)
