"""SLIM: sparse linear weights of items by items, none below zero.

Ning and Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", ICDM 2011, solved for all
items at once by ADMM as in Steck et al., "ADMM SLIM: Sparse Recommendations for Many Users", WSDM 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from marketing_platform.errors import InputError
from marketing_platform.recommenders.families.ease import inverse, taken_together
from marketing_platform.recommenders.families.item_weights import ItemWeights
from marketing_platform.recommenders.families.limits import too_large
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Training


@dataclass(frozen=True)
class Slim:
    """Weights that reproduce who took what, under a penalty on their sum and one on their squares."""

    sparsity: float = 1.0  # penalty on the sum
    penalty: float = 100.0  # penalty on the squares
    step: float = 500.0  # of ADMM; changes how fast, not where it ends
    rounds: int = 40

    needs: ClassVar[frozenset[str]] = frozenset()
    spans: ClassVar[Mapping[str, Span]] = {
        "sparsity": Span(0.1, 20, log=True),
        "penalty": Span(10, 2_000, log=True),
    }

    def fit(self, training: Training) -> ItemWeights:
        """Raises InputError above its limit: four dense matrices of items by items are held."""
        refused = too_large("slim", users=len(training.users), items=len(training.items))
        if refused:
            raise InputError(f"SLIM {refused}; EASE has a sparse form")
        together = taken_together(training.taken).astype(np.float32)  # half the time, and enough to rank
        step = np.float32(self.step)
        within = together.copy()
        within[np.diag_indices_from(within)] += self.penalty + self.step
        inverted = inverse(within)
        target = inverted @ together
        diagonal = np.diag(inverted).copy()
        weights = np.zeros_like(together)
        dual = np.zeros_like(together)
        for _ in range(self.rounds):
            free = target + inverted @ (step * weights - dual)
            free -= inverted * (np.diag(free) / diagonal)  # no item speaks for itself
            weights = np.maximum(free + (dual - np.float32(self.sparsity)) / step, 0)
            dual += step * (free - weights)
        np.fill_diagonal(weights, 0)
        return ItemWeights(training.taken, weights)
