"""Paths in the knowledge graph: from a user over a category, interest or campaign to an item.

Paths over other users are `rp3beta`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.families.evidence import Evidence, of_entries
from marketing_platform.recommenders.families.item_weights import by_column
from marketing_platform.recommenders.families.protocol import Span
from marketing_platform.recommenders.training import Links, Matrix, Training


@dataclass(frozen=True)
class Paths:
    """The probability of a walk of two steps, with popular items discounted by `beta`."""

    beta: float = 0.0

    needs: ClassVar[frozenset[str]] = frozenset({"links"})
    spans: ClassVar[Mapping[str, Span]] = {"beta": Span(0.0, 1.0)}

    def fit(self, training: Training) -> Walks:
        discount = np.maximum(training.popularity, 1) ** -self.beta
        return Walks({kind: _steps(links, discount) for kind, links in training.links.items()})


class Walks:
    """Implements `Model`: the sum over all kinds of nodes."""

    def __init__(self, steps: Mapping[str, tuple[Matrix, Matrix]]) -> None:
        self._steps = steps

    def scores(self, rows: np.ndarray) -> Matrix:
        walks = [of_users[rows] @ of_items for of_users, of_items in self._steps.values()]
        return sum(walks[1:], start=walks[0])

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        return [
            of_entries("node", of_users[rows].multiply(self._to_items[kind][items]).tocsr(), kind)
            for kind, (of_users, _) in self._steps.items()
        ]

    @cached_property
    def _to_items(self) -> dict[str, Matrix]:
        return {kind: by_column(of_items) for kind, (_, of_items) in self._steps.items()}


def _steps(links: Links, discount: np.ndarray) -> tuple[Matrix, Matrix]:
    to_items = _probabilities(links.of_items) @ sparse.diags(discount)
    return _probabilities(links.of_users), to_items.tocsc().tocsr()


def _probabilities(weights: Matrix) -> Matrix:
    sums = np.asarray(weights.sum(axis=1)).ravel()
    return (sparse.diags(1 / np.where(sums > 0, sums, 1)) @ weights).tocsr()
