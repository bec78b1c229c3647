"""Items whose texts mean what the user wrote and took: cosine between embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from marketing_platform.recommenders.families.evidence import (
    NOWHERE,
    Evidence,
    dots,
    evidence,
    pairs_of_entries,
)
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training


@dataclass(frozen=True)
class Content:
    """A user is the sum of the items taken plus `taste` times the mean of what the user wrote."""

    taste: float = 3.0

    needs: ClassVar[frozenset[str]] = frozenset({"features"})
    spans: ClassVar[Mapping[str, Span]] = {"taste": Span(0.1, 30, log=True)}

    def fit(self, training: Training) -> Meanings:
        features = training.features
        if features is None:
            features = np.zeros((len(training.items), 1), np.float32)
        return Meanings(training.taken, features, training.tastes, np.float32(self.taste))


class Meanings:
    """Implements `Model`: the score is the item's vector times the sum of the user's."""

    def __init__(
        self, taken: Matrix, features: np.ndarray, tastes: Matrix | None, weight: np.float32
    ) -> None:
        self._taken = taken
        self._features = features
        self._tastes = tastes
        self._weight = weight

    def scores(self, rows: np.ndarray) -> Matrix:
        return (self._taken[rows] @ self._features + self._wrote(rows)) @ self._features.T

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        own = self._taken[rows]
        pair = pairs_of_entries(own)
        alike = dots(self._features, own.indices, self._features, items[pair])
        users, user = np.unique(rows, return_inverse=True)
        written = dots(self._wrote(users), user, self._features, items)
        nowhere = np.full(len(rows), NOWHERE)
        return [
            evidence("item", pair, own.indices, alike),
            evidence("taste", np.arange(len(rows)), nowhere, written),
        ]

    def _wrote(self, rows: np.ndarray) -> np.ndarray:
        if self._tastes is None:
            return np.zeros((len(rows), self._features.shape[1]), np.float32)
        return self._tastes[rows] * self._weight
