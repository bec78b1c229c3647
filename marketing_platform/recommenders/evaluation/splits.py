"""Splits of what is known into what is learned from and what is judged by.

Nothing that is judged by can be seen by what learns, and parts add up to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marketing_platform.recommenders.ranking import rank_within
from marketing_platform.recommenders.training import Matrix, Training, pairs_of

# Of the time there is, and in days.
_NEWEST_PART, _MOST_DAYS = 0.2, 28.0


@dataclass(frozen=True)
class Split:
    """Two parts of one training, with the same users and items."""

    learn: Training
    later: Matrix  # users x items, CSR with 1 for every pair to be found


def folds(training: Training, *, count: int, seed: int) -> list[Split]:
    """Splits that hold out each pair exactly once, each about a part of every user's items."""
    strength = training.strength
    sizes = np.diff(strength.indptr)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    chance = np.random.default_rng(seed)
    order = np.lexsort((chance.random(strength.nnz), rows))
    place = np.empty(strength.nnz, np.int64)
    place[order] = rank_within(rows)
    # Each user starts with another fold, so that those with few items fill all of them evenly.
    fold = (place + chance.integers(count, size=len(sizes))[rows]) % count
    return [Split(training.only(fold != one), _later(training, fold == one)) for one in range(count)]


def recent_split(training: Training, *, days: float) -> Split:
    """Learn from what happened before the last `days`; what was taken in them is to be found.

    That includes what was taken before as well: a repeat is only no news when the ranking says so.
    Raises InputError without times.
    """
    learn = training.before(days)
    given = training.occurrences
    assert given is not None  # `before` has refused it  # noqa: S101
    lately = (given.days_ago < days) & (given.amount > 0)
    pairs = pairs_of(training.taken)
    wanted = given.row[lately].astype(np.int64) * training.taken.shape[1] + given.column[lately]
    return Split(learn, _later(training, np.isin(pairs, wanted)))


def repeat_split(training: Training) -> Split | None:
    """What was taken in the newest part of the time, for rankings in which repeats may be found again.

    Folds hold out all that a user did with an item, so what learns on them learns that nobody comes
    back. None where times do not allow a split.
    """
    given = training.occurrences
    if given is None or not len(given.days_ago) or not given.days_ago.max():
        return None
    split = recent_split(training, days=min(_MOST_DAYS, _NEWEST_PART * float(given.days_ago.max())))
    return split if split.later.nnz and split.learn.strength.nnz else None


def _later(training: Training, found: np.ndarray) -> Matrix:
    later = training.taken.copy()
    later.data = np.where(found, later.data, 0)
    later.eliminate_zeros()
    return later
