"""EASE: the linear model of items by items in closed form, and a sparse form for many items.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019. Above `dense_items` items the
inverse no longer fits; then each item's weights are the ridge regression on its `neighbours` items
most taken with it alone, as in the sparse approximation of Steck, "Markov Random Fields for
Collaborative Filtering", NeurIPS 2019, with one neighbourhood per item.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from marketing_platform.cores import cores
from marketing_platform.recommenders.families.evidence import pairs_of_entries
from marketing_platform.recommenders.families.item_weights import ItemWeights, row_of
from marketing_platform.recommenders.families.limits import EASE_DENSE_ITEMS
from marketing_platform.recommenders.families.products import best_of_products, of_products
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training

# Above so many items single precision: half the memory and time, and the penalty keeps the inverse stable.
_DOUBLE_ITEMS = 3_000
# Figures of all equations of the sparse form, 2 GiB; above some 50,000 items fewer neighbours keep to it.
_MOST_FIGURES = 1 << 29
# Equations that a core solves at once.
_SOLVED_ITEMS = 64


@dataclass(frozen=True)
class Ease:
    """Weights without a diagonal that reproduce who took what best, under a penalty on their squares."""

    penalty: float = 300.0
    dense_items: int = EASE_DENSE_ITEMS
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
    sizes = np.diff(by_item.indptr).astype(np.float32)
    near = best_of_products(
        by_item,
        taken,
        lambda together, rows, others: together / np.sqrt(sizes[rows] * sizes[others]),
        keep=min(neighbours, math.isqrt(_MOST_FIGURES // len(sizes))),
    )
    if not near.nnz:
        return near
    item = pairs_of_entries(near)
    place = np.arange(near.nnz) - near.indptr[item]
    equations = _equations(near, item, place, by_item, taken)
    near.data = _solved(equations, penalty)[item, place]
    return near.T.tocsr()


def _equations(
    near: Matrix, item: np.ndarray, place: np.ndarray, by_item: Matrix, taken: Matrix
) -> np.ndarray:
    """Per item, how many users took two of those near it, and in the last column one of them and the item.

    `item` and `place` say of each entry of `near` in which row it is and at which place there. Counts are
    made once for all items and never held together: a row of them goes wherever its item is near.
    """
    items, width = near.shape[0], int(place.max()) + 1
    # What an item with fewer neighbours asks for in vain is at the end.
    wanted = np.full((items, width + 1), items, np.int32)
    wanted[item, place] = near.indices
    wanted[:, width] = np.arange(items)
    equations = np.zeros((items, width, width + 1), np.float32)
    entries = sparse.csr_matrix((np.arange(near.nnz), near.indices, near.indptr), near.shape).T.tocsr()

    def give(first: int, counts: Matrix) -> None:
        spread = np.zeros(items + 1, np.float32)
        for row in range(counts.shape[0]):
            columns, values = row_of(counts, row)
            _, asked = row_of(entries, first + row)
            spread[columns] = values
            equations[item[asked], place[asked]] = spread[wanted[item[asked]]]
            spread[columns] = 0

    of_products(by_item, taken, give)
    return equations


def _solved(equations: np.ndarray, penalty: float) -> np.ndarray:
    """Weights, items x neighbours; 0 where an item has fewer."""
    width = equations.shape[1]

    def solve(start: int) -> np.ndarray:
        block = equations[start : start + _SOLVED_ITEMS].astype(np.float64)
        block[:, np.arange(width), np.arange(width)] += penalty
        return np.linalg.solve(block[:, :, :width], block[:, :, width:])[:, :, 0].astype(np.float32)

    # Each core has equations of its own.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores()) as pool:
        return np.concatenate(list(pool.map(solve, range(0, len(equations), _SOLVED_ITEMS))))
