"""Several families as one recommender: a weighted sum whose weights are learned per activity segment.

The sum is linear, so what a score comes from is known exactly (`Hybrid.sources`). How weights are
learned is in `blending.py`. A user of whom no family knows anything gets what is the same for
everybody, and is told so (`Shortlist.origin`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families import Cause, CauseKind, Model
from marketing_platform.recommenders.ranking import Ranked, best_items
from marketing_platform.recommenders.training import Matrix, Training

# Users by how many items they took: below `_LIGHT` cold, below `_HEAVY` light.
_LIGHT, _HEAVY = 3, 20
SEGMENTS = ("cold", "light", "heavy")
# What fills a list that the weighted sum leaves short, in this order.
FALLBACKS = ("trending", "popular")


@dataclass(frozen=True)
class Blend:
    """What was learned: by what each family's scores are divided, and what they then weigh."""

    scales: Mapping[str, float]
    weights: Mapping[str, Mapping[str, float]]  # by segment, then family; each segment adds up to 1


@dataclass(frozen=True)
class Source:
    """The part of one family in a score."""

    family: str
    share: float  # of the score; the shares of an item add up to 1
    causes: tuple[Cause, ...]  # in units of the score


@dataclass(frozen=True)
class Shortlist:
    """The best items of some users, and whether the weighted sum found them or a fallback did."""

    ranked: Ranked
    origin: np.ndarray  # the shape of `ranked.items`: 0 the weighted sum, 1 the first fallback, …


def segments_of(training: Training) -> np.ndarray:
    """The number of each user's segment in SEGMENTS."""
    return np.digitize(np.diff(training.strength.indptr), [_LIGHT, _HEAVY])


class Hybrid:
    """Implements `Model` over fitted families."""

    def __init__(self, models: Mapping[str, Model], blend: Blend, training: Training) -> None:
        self.blend = blend
        self._models = models
        self._segments = segments_of(training)
        self._items = len(training.items)
        self._factors = [
            {
                family: weight / blend.scales[family]
                for family, weight in blend.weights[segment].items()
                if weight > 0 and family in models
            }
            for segment in SEGMENTS
        ]
        self._fallbacks = [models[family] for family in FALLBACKS if family in models]

    def scores(self, rows: np.ndarray) -> Matrix:
        found = np.zeros((len(rows), self._items), np.float32)
        for segment, factors in enumerate(self._factors):
            places = np.flatnonzero(self._segments[rows] == segment)
            for family, factor in factors.items() if len(places) else ():
                part = self._models[family].scores(rows[places])
                found[places] += np.float32(factor) * (part.toarray() if sparse.issparse(part) else part)
        return found

    def sources(self, row: int, item: int) -> list[Source]:
        """The families behind an item's score, the largest share first; none without a cause."""
        found: dict[str, tuple[Cause, ...]] = {}
        for family, factor in self._factors[self._segments[row]].items():
            causes = self._models[family].causes(row, item)
            if causes:
                found[family] = tuple(
                    Cause(cause.kind, cause.place, cause.weight * factor, cause.of) for cause in causes
                )
        weights = {family: sum(cause.weight for cause in causes) for family, causes in found.items()}
        total = sum(weights.values())
        sources = [Source(family, weights[family] / total, causes) for family, causes in found.items()]
        return sorted(sources, key=lambda source: (-source.share, source.family))

    def causes(self, row: int, item: int) -> list[Cause]:
        """What the item's score comes from, the same thing in several families as one."""
        return causes_of(self.sources(row, item))

    def shortlist(
        self, rows: np.ndarray, *, k: int, leave_out: Matrix | None = None, among: Matrix | None = None
    ) -> Shortlist:
        """The best `k` items, filled up by the fallbacks; shorter only when nothing else is left."""
        lists = [
            best_items(model.scores, rows, items=self._items, k=k, leave_out=leave_out, among=among)
            for model in (self, *self._fallbacks)
        ]
        return _filled(lists)


def causes_of(sources: Sequence[Source]) -> list[Cause]:
    """The causes of several families, the same thing as one, the largest first."""
    weights: dict[tuple[CauseKind, int | None, str], float] = {}
    for source in sources:
        for cause in source.causes:
            key = (cause.kind, cause.place, cause.of)
            weights[key] = weights.get(key, 0.0) + cause.weight
    causes = [Cause(kind, place, weight, of) for (kind, place, of), weight in weights.items()]
    return sorted(causes, key=lambda cause: -cause.weight)


def _filled(lists: Sequence[Ranked]) -> Shortlist:
    """The first list, its empty places taken by what the next ones have and it has not."""
    items, scores = lists[0].items.copy(), lists[0].scores.copy()
    origin = np.zeros(items.shape, np.int8)
    for number, further in enumerate(lists[1:], start=1):
        for row in np.flatnonzero((items < 0).any(axis=1)):
            free = np.flatnonzero(items[row] < 0)
            offered = (further.items[row] >= 0) & ~np.isin(further.items[row], items[row])
            taken = np.flatnonzero(offered)[: len(free)]
            places = free[: len(taken)]
            items[row, places], scores[row, places] = further.items[row, taken], further.scores[row, taken]
            origin[row, places] = number
    return Shortlist(Ranked(items, scores), origin)
