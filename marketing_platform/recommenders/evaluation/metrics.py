"""What the best k items of users are worth, measured against what the users took later.

Definitions as in Ferrari Dacrema et al., TOIS 2021 (see `neighbours.py` of the families); where
authors differ, the choice is said at the metric. A user without a later item counts nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.training import Matrix


@dataclass(frozen=True)
class Quality:
    """Averages over users, all for the best k items."""

    users: int  # with at least one later item
    precision: float  # of k, though a list may be shorter
    recall: float
    ndcg: float  # against the best order of *all* later items, also when they are more than k
    hit_rate: float
    map: float  # average precision, divided by min(k, later items)
    coverage: float  # share of items that anybody was shown
    novelty: float  # bits: mean of -log2(share of users who took the item), of what was shown
    gini: float  # of how often items were shown: 0 all equally, 1 one only


FIGURES = tuple(field.name for field in fields(Quality) if field.name != "users")


def quality(best: np.ndarray, later: Matrix, popularity: np.ndarray, *, k: int, users: int) -> Quality:
    """Judge lists of items (users x at least k, -1 for none) by what users took later (CSR, same rows).

    `popularity` is how many of `users` took each item before. All figures are 0 without a user who
    took something later.
    """
    sizes = np.diff(later.indptr)
    judged = np.flatnonzero(sizes > 0)
    shown = best[judged, :k]
    hits = _hits(shown, later[judged])
    wanted = sizes[judged]
    discount = 1 / np.log2(np.arange(2, max(k, int(wanted.max(initial=1))) + 2))
    ideal = np.cumsum(discount)[wanted - 1]
    found = hits.sum(axis=1)
    precision_at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    times = np.bincount(shown[shown >= 0], minlength=len(popularity)).astype(np.float64)
    return Quality(
        users=len(judged),
        precision=_mean(found / k),
        recall=_mean(found / wanted),
        ndcg=_mean((hits * discount[: hits.shape[1]]).sum(axis=1) / ideal),
        hit_rate=_mean(found > 0),
        map=_mean((precision_at * hits).sum(axis=1) / np.minimum(wanted, k)),
        coverage=_mean(times > 0),
        novelty=_novelty(times, popularity, users),
        gini=gini(times),
    )


def gini(amounts: np.ndarray) -> float:
    """The Gini coefficient of amounts of 0 or more; 0 when there is nothing to divide."""
    total, size = amounts.sum(), len(amounts)
    if not size or total <= 0:
        return 0.0
    places = np.arange(1, size + 1)
    return float(((2 * places - size - 1) * np.sort(amounts)).sum() / (size * total))


def _hits(shown: np.ndarray, later: Matrix) -> np.ndarray:
    """Which of the shown items were taken later: the shape of `shown`, 0 or 1."""
    rows = np.broadcast_to(np.arange(len(shown))[:, None], shown.shape)
    there = shown >= 0
    hits = np.zeros(shown.shape)
    if there.any():
        hits[there] = np.asarray(later[rows[there], shown[there]]).ravel() > 0
    return hits


def _novelty(times: np.ndarray, popularity: np.ndarray, users: int) -> float:
    if not times.sum():
        return 0.0
    share = np.clip(popularity / max(users, 1), 1 / max(users, 1), 1)  # never taken counts as taken once
    return float((times * -np.log2(share)).sum() / times.sum())


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def later_of(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Matrix:
    """What users took later, from pairs; pairs that repeat count once."""
    later = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    later.sum_duplicates()
    later.data[:] = 1
    return later
