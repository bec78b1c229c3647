"""Nearest neighbours by who took what: items taken together, and users who took the same.

Cosine with shrinkage and exponents, as compared in Ferrari Dacrema et al., "A Troubling Analysis of
Reproducibility and Progress in Recommender Systems Research", TOIS 2021. Users who *write* alike are
found in `recommenders/neighbours.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families.evidence import Evidence, of_entries
from marketing_platform.recommenders.families.item_weights import ItemWeights, by_column
from marketing_platform.recommenders.families.products import best_of_products
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training

_SPANS = {
    "neighbours": Span(10, 500, log=True, whole=True),
    "shrink": Span(0.01, 50, log=True),
    "balance": Span(0.2, 0.9),
    "discount": Span(0.0, 0.6),
    "sharpness": Span(1.0, 2.5),
}


@dataclass(frozen=True)
class ItemNeighbours:
    """What the `neighbours` items most alike to an item say for it.

    Items i and j that a and b users took, c of them both, are alike by (c / (a^balance *
    b^(1-balance) + shrink))^sharpness: with .5, 0 and 1 this is the cosine. A user of n items counts
    n^(-2 discount) in a, b and c: who takes everything says little about what goes together.
    """

    neighbours: int = 60
    shrink: float = 0.1
    balance: float = 0.7
    discount: float = 0.5
    sharpness: float = 1.0

    needs: ClassVar[frozenset[str]] = frozenset()
    spans: ClassVar[Mapping[str, Span]] = _SPANS

    def fit(self, training: Training) -> ItemWeights:
        return ItemWeights(training.taken, _alike(training.taken.T.tocsr(), self).T.tocsr())


@dataclass(frozen=True)
class UserNeighbours:
    """What the `neighbours` users most alike to a user took, weighted by how alike they are.

    Parameters as for items, with users and items changing places.
    """

    neighbours: int = 60
    shrink: float = 1.0
    balance: float = 0.7
    discount: float = 0.25
    sharpness: float = 2.0

    needs: ClassVar[frozenset[str]] = frozenset()
    spans: ClassVar[Mapping[str, Span]] = _SPANS

    def fit(self, training: Training) -> UserWeights:
        return UserWeights(_alike(training.taken, self), training.taken)


class UserWeights:
    """Implements `Model` for weights between users: the sum of the weights of those who took an item."""

    def __init__(self, weights: Matrix, taken: Matrix) -> None:
        self._weights = weights  # row: the user asked about
        self._taken = taken
        self._takers = by_column(taken)

    def scores(self, rows: np.ndarray) -> Matrix:
        return self._weights[rows] @ self._taken

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        return [of_entries("user", self._weights[rows].multiply(self._takers[items]).tocsr())]


def _alike(taken: Matrix, given: ItemNeighbours | UserNeighbours) -> Matrix:
    """How alike the rows of `taken` are; row i holds the neighbours of i."""
    crowd = np.maximum(np.bincount(taken.indices, minlength=taken.shape[1]), 1.0)
    weighed = (taken @ sparse.diags((crowd**-given.discount).astype(np.float32))).tocsr()
    sizes = np.asarray(weighed.multiply(weighed).sum(axis=1), np.float64).ravel()
    ours = (sizes**given.balance).astype(np.float32)
    theirs = (sizes ** (1 - given.balance)).astype(np.float32)
    least = np.finfo(np.float32).tiny

    def cosine(together: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        return together / np.maximum(ours[others] * theirs[rows] + np.float32(given.shrink), least)

    found = best_of_products(weighed, weighed.T.tocsr(), cosine, keep=given.neighbours)
    found.data **= np.float32(given.sharpness)  # afterwards: it changes no order
    return found
