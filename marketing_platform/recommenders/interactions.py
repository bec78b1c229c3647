"""Who is similar to whom and who took part in what, for all users at once, as sparse matrices.

What follows from them is in `campaign_batches.py`.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

# CSR; scipy's own types do not say what their parts are.
Matrix = Any


@dataclass(frozen=True)
class Interactions:
    """Who is similar to whom, and who took part in what; build it with `interactions`."""

    users: list[str]  # ascending
    campaigns: list[str]  # ascending, those without participants among them
    similarity: Matrix  # users x users, cosine
    taken: Matrix  # users x campaigns, engagement; an entry for every participation

    @cached_property
    def participation(self) -> Entries:
        """Look-ups of participations, whatever their engagement."""
        return Entries(self.taken)

    @cached_property
    def engaged(self) -> Entries:
        """Look-ups of the participations that count: engagement above zero."""
        return Entries(above_zero(self.taken))

    @cached_property
    def engagement(self) -> np.ndarray:
        """Overall engagement per campaign."""
        return np.asarray(self.taken.sum(axis=0)).ravel()


class Entries:
    """Look-ups of many entries of a matrix at once; its indices must be sorted."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        rows, columns = coordinates(matrix)
        self._keys = rows * matrix.shape[1] + columns

    def at(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The entries at (row, column), and whether there is one."""
        if not len(self._keys):
            return np.zeros(len(row)), np.zeros(len(row), bool)
        wanted = row.astype(np.int64) * self.matrix.shape[1] + column
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        there = self._keys[at] == wanted
        return np.where(there, self.matrix.data[at], 0.0), there

    def of_rows(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All entries of each of `rows`, one after the other: which of `rows`, and place in the matrix."""
        sizes = np.diff(self.matrix.indptr)[rows]
        which = np.repeat(np.arange(len(rows)), sizes)
        place = self.matrix.indptr[rows][which] + np.arange(len(which)) - (np.cumsum(sizes) - sizes)[which]
        return which, place


def interactions(
    users: Sequence[str], campaigns: Sequence[str], similar: pa.Table, participation: pa.Table
) -> Interactions:
    """From tables.

    `similar` has user_id, similar_user_id and score; `participation` has user_id, campaign_id and
    engagement_score, and its rows without a user or campaign are left out. Raises ValueError when
    a table names a user or campaign that is not in `users` or `campaigns`, or when a figure is not
    finite.
    """
    known_users = sorted(set(users))
    known_campaigns = sorted(set(campaigns))
    part = participation.select(["user_id", "campaign_id", "engagement_score"]).drop_null()
    return Interactions(
        users=known_users,
        campaigns=known_campaigns,
        similarity=_matrix(
            _places("user", known_users, similar["user_id"]),
            _places("user", known_users, similar["similar_user_id"]),
            similar["score"].to_numpy(),
            (len(known_users), len(known_users)),
        ),
        taken=_matrix(
            _places("user", known_users, part["user_id"]),
            _places("campaign", known_campaigns, part["campaign_id"]),
            part["engagement_score"].to_numpy(),
            (len(known_users), len(known_campaigns)),
        ),
    )


def coordinates(matrix: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every entry."""
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return rows, matrix.indices.astype(np.int64)


def above_zero(matrix: Matrix) -> Matrix:
    """The matrix with only its entries above zero."""
    kept = matrix.copy()
    kept.data = np.maximum(kept.data, 0.0)
    kept.eliminate_zeros()
    return kept


def _places(kind: str, known: Sequence[str], named: pa.ChunkedArray) -> np.ndarray:
    found = pc.index_in(named, value_set=pa.array(known, named.type))
    if found.null_count:
        stranger = named.filter(found.is_null())[0].as_py()
        raise ValueError(f"unknown {kind} {stranger!r}: every {kind} of a table must be given")
    return found.to_numpy().astype(np.int64)


def _matrix(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> Matrix:
    if not np.isfinite(values).all():
        raise ValueError("a similarity or an engagement is not finite; JSON could not say it")
    matrix = sparse.csr_matrix((values.astype(np.float64), (rows, columns)), shape=shape)
    matrix.sort_indices()
    return matrix
