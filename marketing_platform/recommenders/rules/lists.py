"""What rules are applied to, what they need to know, and what comes of it: arrays over users and items.

Rows are users, numbers of items are columns of the training (`recommenders/training.py`). How the
arrays are filled from tables is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from marketing_platform.recommenders.diversity import ItemSpace
from marketing_platform.recommenders.training import Matrix


@dataclass(frozen=True)
class Candidates:
    """What a recommender offers each user; more than will be shown, so that rules leave enough.

    A user's candidates stand in any order and each once; `rank` is by tier, then score, then id.
    """

    users: np.ndarray  # ids, one per row
    items: np.ndarray  # ids of all items there are, ascending (the columns)
    places: np.ndarray  # users x candidates: columns of items, -1 where a user has no further one
    scores: np.ndarray  # users x candidates, comparable within a tier
    tiers: np.ndarray  # users x candidates: 0 the recommender, 1 its first fallback, … (`Shortlist.origin`)
    popular: np.ndarray  # columns, the most popular first: what the holdout gets


@dataclass(frozen=True)
class Impressions:
    """What was shown to whom and when, one entry each."""

    rows: np.ndarray  # row of the user
    columns: np.ndarray  # column of the item
    days_ago: np.ndarray  # before now, 0 or more


@dataclass(frozen=True)
class Facts:
    """What rules ask about users and items; None is "not known", and a rule that needs it says so.

    What is hidden or blocked by users may be known only where answers leave (`answering.py`): then
    the rule says so in the notes, and keeps nothing out of the release.
    """

    today: date
    # By column of the kind's table in the catalog, one value per item; None where an item has none.
    attributes: Mapping[str, np.ndarray]
    taken: Matrix | None = None  # users x items, CSR: an entry for what the user has bought (taken part in)
    blocked: Matrix | None = None  # users x items, CSR: an entry for what the user does not want to see
    opted_out: np.ndarray | None = None  # bool per user
    hidden: np.ndarray | None = None  # bool per item: taken out by hand
    shown: Impressions | None = None
    space: ItemSpace | None = None  # how similar items are; without it, those of one category are


@dataclass(frozen=True)
class Ruled:
    """The lists after all rules, best first: users x limit."""

    items: np.ndarray  # columns of items, -1 where a list has no further one
    scores: np.ndarray  # after boosts; 0 where the recommender gave none (pins from outside, the holdout)
    tiers: np.ndarray  # as offered; 0 where nothing was offered
    applied: np.ndarray  # uint64, bit i: rule i had a part in the item's being where it is
    holdout: np.ndarray  # bool per user
    labels: tuple[str, ...]  # one per rule of the kind
    # By label: candidates that the rule keeps out, whatever other rules do; without the holdout.
    removed: Mapping[str, int]
    notes: tuple[str, ...]  # rules that cannot do anything, and why

    def applied_to(self, row: int, place: int) -> tuple[str, ...]:
        """What explains the item's place, such as `("boost summer x1.2",)`."""
        return self.labels_of(int(self.applied[row, place]))

    def labels_of(self, applied: int) -> tuple[str, ...]:
        """The rules behind an entry of `applied`."""
        return tuple(label for number, label in enumerate(self.labels) if applied >> number & 1)
