"""Cross-category discovery: what goes with the things a user took, in categories new to the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families.evidence import Evidence
from marketing_platform.recommenders.families.item_weights import ItemWeights
from marketing_platform.recommenders.families.neighbours import ItemNeighbours
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training


@dataclass(frozen=True)
class Discovery:
    """Item neighbours, with a score only for items of known categories that the user has nothing of."""

    neighbours: int = 200
    shrink: float = 1.0

    needs: ClassVar[frozenset[str]] = frozenset({"categories"})
    spans: ClassVar[Mapping[str, Span]] = {
        "neighbours": Span(20, 500, log=True, whole=True),
        "shrink": Span(0.01, 50, log=True),
    }

    def fit(self, training: Training) -> NewCategories:
        found = ItemNeighbours(self.neighbours, self.shrink).fit(training)
        categories = training.categories
        if categories is None:
            categories = np.full(len(training.items), -1)
        return NewCategories(found, training.taken, categories)


class NewCategories:
    """Implements `Model`: another model's scores where the category is new to the user."""

    def __init__(self, found: ItemWeights, taken: Matrix, categories: np.ndarray) -> None:
        self._found = found
        known = np.flatnonzero(categories >= 0)
        width = int(categories.max(initial=-1)) + 1
        self._of_items = sparse.csr_matrix(
            (np.ones(len(known), np.float32), (known, categories[known])), shape=(len(categories), width)
        )
        self._taken = taken
        self._categories = categories
        self._known = (categories >= 0).astype(np.float32)

    def scores(self, rows: np.ndarray) -> Matrix:
        scores = sparse.csr_matrix(self._found.scores(rows))
        # Times an item's category was taken: only the entries that have a score are asked for.
        times = scores.astype(bool).multiply((self._taken[rows] @ self._of_items) @ self._of_items.T)
        old = sparse.csr_matrix(times).astype(bool)
        return (scores - scores.multiply(old)).multiply(self._known).tocsr()

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        categories = self._categories[items]
        had = (self._taken[rows] @ self._of_items).toarray()
        new = (categories >= 0) & (had[np.arange(len(rows)), categories] == 0)
        at = np.flatnonzero(new)
        return [replace(found, pair=at[found.pair]) for found in self._found.evidence(rows[at], items[at])]
