"""Pairs of vectors that may be among the nearest, and the best of each.

Which vectors are compared is the business of `neighbours` (all) and `neighbour_lists` (those that lie near).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marketing_platform.recommenders.ranking import rank_within

DIGITS = 6


@dataclass(frozen=True)
class Hits:
    """Rows, columns (int64) and rounded cosines (float32) of pairs, flat."""

    rows: np.ndarray
    columns: np.ndarray
    scores: np.ndarray


NO_HITS = Hits(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def joined(found: Sequence[Hits]) -> Hits:
    """All of them."""
    return Hits(
        np.concatenate([NO_HITS.rows, *(one.rows for one in found)]),
        np.concatenate([NO_HITS.columns, *(one.columns for one in found)]),
        np.concatenate([NO_HITS.scores, *(one.scores for one in found)]),
    )


def above(cosines: np.ndarray, bar: np.ndarray) -> Hits:
    """The pairs of a tile of cosines (rows x columns) that surpass the bar of their row."""
    rows, columns = np.nonzero(cosines > bar[:, None])
    return Hits(rows, columns, np.clip(np.round(cosines[rows, columns], DIGITS), -1, 1))


def first_bar(cosines: np.ndarray, k: int) -> np.ndarray:
    """What the k best of each row of a tile surpass, and few others; anything where the row is shorter."""
    if cosines.shape[1] < k:
        return np.full(len(cosines), -np.inf, np.float32)
    at = cosines.shape[1] - k
    return np.partition(cosines, at, axis=1)[:, at] - 10.0**-DIGITS


def best(hits: Hits, k: int) -> Hits:
    """The k best of each row, in order of row, score and column."""
    order = np.lexsort((hits.columns, -hits.scores, hits.rows))
    kept = order[rank_within(hits.rows[order]) < k]
    return Hits(hits.rows[kept], hits.columns[kept], hits.scores[kept])


def bar_behind(hits: Hits, rows: int, k: int, *, half_steps: int) -> np.ndarray:
    """The k-th best score of each row, moved by `half_steps` of rounding; -inf for a row with fewer.

    Half a step up and nothing that rounds to the k-th best is above the bar; half a step down and all of it
    is.
    """
    bar = np.full(rows, -np.inf, np.float32)
    met = np.bincount(hits.rows, minlength=rows)
    full = met >= k
    bar[full] = hits.scores[np.cumsum(met)[full] - 1] + half_steps * 0.5 * 10.0**-DIGITS
    return bar
