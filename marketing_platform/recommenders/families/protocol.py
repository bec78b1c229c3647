"""What every family of recommenders offers, so that one more is a module and a line in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from marketing_platform.recommenders.families.evidence import Evidence
from marketing_platform.recommenders.training import Matrix, Training


class Model(Protocol):
    """A fitted recommender."""

    def scores(self, rows: np.ndarray) -> Matrix:
        """Scores of every item for these users of the training: CSR or array, len(rows) x items.

        Higher is better. 0 means that nothing speaks for the item. What a user took has a score
        like anything else; leaving it out is the ranking's business.
        """
        ...

    def evidence(self, rows: np.ndarray, items: np.ndarray) -> list[Evidence]:
        """What the score of each item for the user beside it comes from; each kind of cause once."""
        ...


@dataclass(frozen=True)
class Span:
    """The values of a parameter that tuning tries: every number from `low` to `high`."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


class Family(Protocol):
    """A recommender before it has seen data: its parameters, as the fields of a frozen dataclass."""

    # What the training must offer beside who took what: "times", "features", "categories", "links".
    needs: ClassVar[frozenset[str]]
    spans: ClassVar[Mapping[str, Span]]  # what tuning tries for each parameter

    def fit(self, training: Training) -> Model:
        """Learn; deterministic, with equal training and parameters equal scores."""
        ...
