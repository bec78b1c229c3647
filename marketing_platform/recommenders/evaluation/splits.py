"""Splits of what is known into what is learned from and what is judged by.

Nothing that is judged by can be seen by what learns, and parts add up to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marketing_platform.recommenders.training import Matrix, Training, pairs_of


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
    place[order] = np.arange(strength.nnz) - np.repeat(np.cumsum(sizes) - sizes, sizes)
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


def _later(training: Training, found: np.ndarray) -> Matrix:
    later = training.taken.copy()
    later.data = np.where(found, later.data, 0)
    later.eliminate_zeros()
    return later
