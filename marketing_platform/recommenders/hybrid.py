"""Several families as one recommender: a weighted sum whose weights are learned per activity segment.

The sum is linear, so what a score comes from is known exactly (`Hybrid.reasons`). How weights are
learned is in `blending.py`. A user of whom no family knows anything gets what is the same for
everybody, and is told so (`Shortlist.origin`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families import Evidence, Model
from marketing_platform.recommenders.ranking import Ranked, best_items, filled_places
from marketing_platform.recommenders.reasons import Reasons, reasons
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

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        """What the scores come from; the same thing may be named by several families."""
        return [one for parts in self._evidence(rows, items).values() for one in parts]

    def reasons(self, rows: np.ndarray, items: np.ndarray) -> Reasons:
        """Why each item has a score for the user beside it."""
        return reasons(self._evidence(rows, items), items)

    def _evidence(self, rows: np.ndarray, items: np.ndarray) -> dict[str, list[Evidence]]:
        """By family, in units of the weighted sum."""
        found: dict[str, list[Evidence]] = {}
        for segment, factors in enumerate(self._factors):
            at = np.flatnonzero(self._segments[rows] == segment)
            for family, factor in factors.items() if len(at) else ():
                found.setdefault(family, []).extend(
                    replace(one, pair=at[one.pair], weight=one.weight * factor)
                    for one in self._models[family].evidence(rows[at], items[at])
                )
        return found

    def shortlist(
        self, rows: np.ndarray, *, k: int, leave_out: Matrix | None = None, among: Matrix | None = None
    ) -> Shortlist:
        """The best `k` items, filled up by the fallbacks; shorter only when nothing else is left."""
        found = self._best(self, rows, k, leave_out, among)
        origin = np.zeros(found.items.shape, np.int8)
        for number, model in enumerate(self._fallbacks, start=1):
            short = np.flatnonzero((found.items < 0).any(axis=1))
            further = self._best(model, rows[short], k, leave_out, among)
            _fill_up(found, origin, short, further, number)
        return Shortlist(found, origin)

    def _best(
        self, model: Model, rows: np.ndarray, k: int, leave_out: Matrix | None, among: Matrix | None
    ) -> Ranked:
        return best_items(model.scores, rows, items=self._items, k=k, leave_out=leave_out, among=among)


def _fill_up(found: Ranked, origin: np.ndarray, short: np.ndarray, further: Ranked, number: int) -> None:
    """Gives empty places of the rows `short` to what `further` has (the same rows) and they have not."""
    own, others = found.items[short], further.items
    first = np.arange(len(short))[:, None] * (int(max(own.max(initial=0), others.max(initial=0))) + 1)
    offered = (others >= 0) & ~np.isin(others + first, (own + first)[own >= 0])
    at, place, source = filled_places(own < 0, offered)
    row = short[at]
    found.items[row, place], found.scores[row, place] = others[at, source], further.scores[at, source]
    origin[row, place] = number
