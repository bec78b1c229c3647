"""iALS: users and items as short vectors whose product tells who takes what.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, as the
`implicit` library solves it; its parameters matter as Rendle et al., "Revisiting the Performance of iALS
on Item Recommendation Benchmarks", RecSys 2022, found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from marketing_platform.recommenders.families.item_weights import named_causes
from marketing_platform.recommenders.families.protocol import Cause, Span
from marketing_platform.recommenders.training import Matrix, Training

# Vectors and equations of users that are solved at once.
_SOLVED_BYTES = 32 << 20


@dataclass(frozen=True)
class IALS:
    """Vectors of `factors` numbers; a taken item counts `confidence` times as much as one not taken."""

    factors: int = 32
    penalty: float = 8.0
    confidence: float = 2.0
    rounds: int = 15
    seed: int = 0

    needs: ClassVar[frozenset[str]] = frozenset()
    spans: ClassVar[Mapping[str, Span]] = {
        "factors": Span(8, 128, log=True, whole=True),
        "penalty": Span(0.1, 50, log=True),
        "confidence": Span(1.1, 20, log=True),
    }

    def fit(self, training: Training) -> Factors:
        # The library loads its C++ parts when it is imported.
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        taken = training.taken
        if not taken.nnz:
            return Factors(self, taken, np.zeros((len(training.items), 1), np.float32))
        with threadpool_limits(1, "blas"):  # it has threads of its own
            solver: Any = AlternatingLeastSquares(
                factors=min(self.factors, *taken.shape),
                regularization=self.penalty,
                alpha=self.confidence,
                iterations=self.rounds,
                random_state=self.seed,
                num_threads=0,
            )
            solver.fit(taken, show_progress=False)
        return Factors(self, taken, np.asarray(solver.item_factors))


class Factors:
    """Implements `Model`: a user's vector is the best one for what the user took, given those of items."""

    def __init__(self, parameters: IALS, taken: Matrix, items: np.ndarray) -> None:
        self._parameters = parameters
        self._taken = taken
        self._items = items.astype(np.float64)
        self._all = self._items.T @ self._items + parameters.penalty * np.eye(items.shape[1])

    def scores(self, rows: np.ndarray) -> Matrix:
        users = np.zeros((len(rows), self._items.shape[1]), np.float32)
        sizes = np.diff(self._taken.indptr)[rows]
        for places in _alike_in_size(sizes, self._items.shape[1]):
            users[places] = self._vectors(rows[places], int(sizes[places].max()))
        return users @ self._items.astype(np.float32).T

    def causes(self, row: int, item: int) -> list[Cause]:
        """Each item the user took, by how much the score falls when it alone is left out."""
        own = self._own(row)
        if not len(own):
            return []
        vectors, confidence = self._items[own], self._parameters.confidence
        # With one item less, both sides of the user's equation lose a term: Sherman and Morrison, 1950.
        solved = np.linalg.solve(self._left(vectors), np.column_stack([self._items[item], vectors.T]))
        to_item, to_own = vectors @ solved[:, 0], np.einsum("if,fi->i", vectors, solved[:, 1:])
        right = confidence * vectors.sum(axis=0)
        rest = right @ solved[:, 1:] - confidence * to_own
        loss = confidence * to_item - (confidence - 1) * to_item * rest / (1 - (confidence - 1) * to_own)
        return named_causes("item", own, loss)

    def _own(self, row: int) -> np.ndarray:
        return self._taken.indices[self._taken.indptr[row] : self._taken.indptr[row + 1]]

    def _vectors(self, rows: np.ndarray, width: int) -> np.ndarray:
        """Those of users of at most `width` items each, solved at once."""
        own = self._taken[rows]
        there = np.arange(width) < np.diff(own.indptr)[:, None]
        vectors = np.zeros((len(rows), width, self._items.shape[1]))
        vectors[there] = self._items[own.indices]
        confidence = self._parameters.confidence
        left = self._all + (confidence - 1) * (vectors.transpose(0, 2, 1) @ vectors)
        return np.linalg.solve(left, confidence * vectors.sum(axis=1)[:, :, None])[:, :, 0]

    def _left(self, vectors: np.ndarray) -> np.ndarray:
        return self._all + (self._parameters.confidence - 1) * (vectors.T @ vectors)


def _alike_in_size(sizes: np.ndarray, factors: int) -> Iterator[np.ndarray]:
    """Places of users of about as many items (none left out but those without any), a few at a time."""
    order = np.argsort(sizes, kind="stable")
    start = int(np.searchsorted(sizes[order], 1))
    while start < len(order):
        width = 2 * int(sizes[order[start]])
        at_once = max(1, _SOLVED_BYTES // (8 * factors * (width + factors)))
        stop = min(start + at_once, int(np.searchsorted(sizes[order], width, side="right")))
        yield order[start:stop]
        start = stop
