"""What a user takes again and again: personal frequency with recency.

Personal frequency is hard to beat for the next basket (Hu et al., "Modeling Personalized Item Frequency
Information for Next-basket Recommendation", SIGIR 2020; Faggioli et al., "Recency Aware Collaborative
Filtering for Next Basket Recommendation", UMAP 2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families.item_weights import ItemWeights
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Training


@dataclass(frozen=True)
class Repeat:
    """Each time an item was taken counts half as much after `half_life_days`; others have no score."""

    half_life_days: float = 60.0

    needs: ClassVar[frozenset[str]] = frozenset({"times"})
    spans: ClassVar[Mapping[str, Span]] = {"half_life_days": Span(3, 365, log=True)}

    def fit(self, training: Training) -> ItemWeights:
        shape = training.strength.shape
        given = training.occurrences
        habits = sparse.csr_matrix(shape, dtype=np.float32)
        if given is not None:
            worth = np.where(given.amount > 0, np.exp2(-given.days_ago / self.half_life_days), 0)
            habits = sparse.csr_matrix((worth.astype(np.float32), (given.row, given.column)), shape=shape)
            habits.sum_duplicates()
            habits.eliminate_zeros()
        return ItemWeights(habits, sparse.diags(np.ones(shape[1], np.float32), format="csr"))
