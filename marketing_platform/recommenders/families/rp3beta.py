"""Random walks of three steps over who took what, with popular items discounted.

RP3beta: Paudel et al., "Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive
Applications", TiiS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families.item_weights import ItemWeights
from marketing_platform.recommenders.families.products import best_of_products
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Matrix, Training


@dataclass(frozen=True)
class RP3Beta:
    """A walk from an item over a user to an item, each step's probability to the power of `alpha`.

    The score of an item is divided by its popularity to the power of `beta`; of the ways to an item
    the `neighbours` likeliest are kept.
    """

    alpha: float = 1.0
    beta: float = 0.6
    neighbours: int = 100

    needs: ClassVar[frozenset[str]] = frozenset()
    spans: ClassVar[Mapping[str, Span]] = {
        "alpha": Span(0.3, 1.7),
        "beta": Span(0.0, 1.0),
        "neighbours": Span(10, 500, log=True, whole=True),
    }

    def fit(self, training: Training) -> ItemWeights:
        taken = training.taken
        to_user = _probabilities(taken.T.tocsr(), self.alpha)
        to_item = _probabilities(taken, self.alpha)
        discount = (np.maximum(training.popularity, 1) ** -self.beta).astype(np.float32)
        ways = best_of_products(
            to_user,
            to_item,
            lambda chances, _from, to: chances * discount[to],
            keep=self.neighbours,
        )
        return ItemWeights(taken, ways)


def _probabilities(taken: Matrix, power: float) -> Matrix:
    sizes = np.maximum(np.diff(taken.indptr), 1).astype(np.float64)
    return sparse.diags((sizes**-power).astype(np.float32)) @ taken
