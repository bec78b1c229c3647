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
from scipy import sparse

from marketing_platform.recommenders.families.evidence import Evidence, dots, evidence, pairs_of_entries
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training

# Vectors and equations of users that are solved at once.
_SOLVED_BYTES = 32 << 20
# Interactions below which threads wait for each other longer than they compute.
_WORTH_THREADS = 500_000
# Users beyond teach the vectors of items nothing: of 34,000 users and 24 campaigns, 200 for each campaign
# found as good lists as all (NDCG@10 of .8025 and .8024), 50 worse ones (.7935).
_USERS_PER_ITEM = 2_000


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
                num_threads=0 if taken.nnz >= _WORTH_THREADS else 1,
            )
            solver.fit(_enough(taken), show_progress=False)
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
        own = self._taken[rows]
        for places in _alike_in_size(np.diff(own.indptr), self._items.shape[1]):
            vectors, _ = self._own_vectors(own, places)
            right = self._parameters.confidence * vectors.sum(axis=1)
            users[places] = np.linalg.solve(self._left(vectors), right[:, :, None])[:, :, 0]
        return users @ self._items.astype(np.float32).T

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        """Each item the user took, by how much the score falls when it alone is left out."""
        users, user = np.unique(rows, return_inverse=True)
        own = self._taken[users]
        directions, lengths = self._without_each(own)
        # Which entries of `own` each pair is about.
        numbers = sparse.csr_matrix((np.arange(own.nnz), own.indices, own.indptr), own.shape)[user]
        pair, at = pairs_of_entries(numbers), numbers.data
        losses = dots(directions, at, self._items, items[pair]) * lengths[at]
        return [evidence("item", pair, numbers.indices, losses)]

    def _without_each(self, own: Matrix) -> tuple[np.ndarray, np.ndarray]:
        """By what a user's vector shrinks without one item, for each entry: a direction and its length.

        With one item less, both sides of the user's equation lose a term: Sherman and Morrison, 1950.
        """
        confidence = self._parameters.confidence
        directions, lengths = np.zeros((own.nnz, self._items.shape[1])), np.zeros(own.nnz)
        for places in _alike_in_size(np.diff(own.indptr), self._items.shape[1]):
            vectors, entries = self._own_vectors(own, places)
            there = entries >= 0
            solved = np.linalg.solve(self._left(vectors), vectors.transpose(0, 2, 1)).transpose(0, 2, 1)
            to_own = (solved * vectors).sum(axis=2)
            right = confidence * vectors.sum(axis=1)
            rest = (solved @ right[:, :, None])[:, :, 0] - confidence * to_own
            length = confidence - (confidence - 1) * rest / (1 - (confidence - 1) * to_own)
            directions[entries[there]], lengths[entries[there]] = solved[there], length[there]
        return directions, lengths

    def _own_vectors(self, own: Matrix, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of what each user took, and which entries of `own` they are: 0 and -1 where none is."""
        sizes = np.diff(own.indptr)[places]
        offset = np.arange(sizes.max())
        entries = np.where(offset < sizes[:, None], own.indptr[places][:, None] + offset, -1)
        vectors = np.zeros((*entries.shape, self._items.shape[1]))
        vectors[entries >= 0] = self._items[own.indices[entries[entries >= 0]]]
        return vectors, entries

    def _left(self, vectors: np.ndarray) -> np.ndarray:
        return self._all + (self._parameters.confidence - 1) * (vectors.transpose(0, 2, 1) @ vectors)


def _enough(taken: Matrix) -> Matrix:
    """Rows of as many users as vectors of items are learned from, those evenly spaced by id."""
    most = _USERS_PER_ITEM * taken.shape[1]
    if taken.shape[0] <= most:
        return taken
    return taken[np.linspace(0, taken.shape[0] - 1, most).astype(np.int64)]


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
