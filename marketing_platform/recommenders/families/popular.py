"""The same for everybody: what most took, and what many took lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from marketing_platform.recommenders.families.evidence import NOWHERE, Evidence, evidence
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training


@dataclass(frozen=True)
class Popular:
    """Items by the number of users who took them."""

    needs: ClassVar[frozenset[str]] = frozenset()
    spans: ClassVar[Mapping[str, Span]] = {}

    def fit(self, training: Training) -> SameForAll:
        return SameForAll(training.popularity)


@dataclass(frozen=True)
class Trending:
    """Items by their interactions, each worth half as much after `half_life_days`."""

    half_life_days: float = 14.0

    needs: ClassVar[frozenset[str]] = frozenset({"times"})
    spans: ClassVar[Mapping[str, Span]] = {"half_life_days": Span(1, 90, log=True)}

    def fit(self, training: Training) -> SameForAll:
        given = training.occurrences
        if given is None:
            return SameForAll(np.zeros(len(training.items)))
        worth = np.where(given.amount > 0, np.exp2(-given.days_ago / self.half_life_days), 0)
        return SameForAll(np.bincount(given.column, worth, len(training.items)))


class SameForAll:
    """Implements `Model` for one score per item."""

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores.astype(np.float32)

    def scores(self, rows: np.ndarray) -> Matrix:
        return np.broadcast_to(self._scores, (len(rows), len(self._scores)))

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        pairs = np.arange(len(rows))
        return [evidence("everyone", pairs, np.full(len(rows), NOWHERE), self._scores[items])]
