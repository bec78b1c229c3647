"""Lists whose items differ: maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998).

Each next item is the one with the highest

    lambda * relevance  -  (1 - lambda) * highest similarity to an item that stands already

where similarity is the cosine of the items' features or, without features, 1 within a category and
0 else. Who is eligible for a place is decided by `rules/selection.py`.
"""

from __future__ import annotations

import numpy as np

# A matrix of all similarities is made once when it has no more entries than this (64 MB).
_MOST_SIMILARITIES = 1 << 24
# Beyond these is rounding, which would tell apart items that say the same.
_DIGITS = 6


class ItemSpace:
    """How similar items are to each other; made once for all users, by `by_meaning` or `by_category`."""

    def __init__(self, features: np.ndarray | None, categories: np.ndarray, every: np.ndarray | None) -> None:
        self._features = features
        self._categories = categories
        self._all = every

    @classmethod
    def by_meaning(cls, features: np.ndarray, *, asked: int) -> ItemSpace:
        """`features`: items x dim, rows of unit length or zero.

        `asked` is for how many pairs of items the similarity will be needed: where they are more than all
        there are, all are computed beforehand.
        """
        vectors = np.ascontiguousarray(features, np.float32)
        unknown = np.full(len(vectors), -1)
        if len(vectors) ** 2 <= min(asked, _MOST_SIMILARITIES):
            return cls(None, unknown, np.round(vectors @ vectors.T, _DIGITS))
        return cls(vectors, unknown, None)

    @classmethod
    def by_category(cls, categories: np.ndarray) -> ItemSpace:
        """`categories`: a number for each item, -1 unknown."""
        return cls(None, categories, None)

    @property
    def bytes_per_candidate(self) -> int:
        """Memory that `Nearest` takes for one candidate of one user."""
        return 8 + (0 if self._features is None else self._features.shape[1] * 4)

    def features_of(self, places: np.ndarray) -> np.ndarray | None:
        """The features of every candidate, where similarities are not all known beforehand."""
        return None if self._features is None else self._features[places]

    def similarity(self, items: np.ndarray, places: np.ndarray, features: np.ndarray | None) -> np.ndarray:
        """Users x candidates: of each user's item to each of the user's candidates."""
        if self._all is not None:
            return self._all[items[:, None], places]
        if features is not None and self._features is not None:
            return np.round(np.matmul(features, self._features[items][:, :, None])[:, :, 0], _DIGITS)
        own = self._categories[items][:, None]
        return ((self._categories[places] == own) & (own >= 0)).astype(np.float32)


class Nearest:
    """For each candidate of some users, the highest similarity to what was chosen so far."""

    def __init__(self, space: ItemSpace, places: np.ndarray) -> None:
        """`places`: users x candidates, numbers of items; what is no item (-1) is never asked for."""
        self._space = space
        self._places = places
        self._features = space.features_of(places)
        # Below every cosine: while nothing is chosen, all candidates are equally far.
        self.values = np.full(places.shape, -1, np.float32)

    def add(self, items: np.ndarray) -> None:
        """One more item was chosen for each user."""
        np.maximum(self.values, self._space.similarity(items, self._places, self._features), out=self.values)


def marginal_relevance(relevance: np.ndarray, nearest: np.ndarray, weight: float) -> np.ndarray:
    """The value to be maximized; `relevance` 0 to 1 as similarity is, `weight` the lambda of the paper."""
    return weight * relevance - (1 - weight) * nearest
