"""Answers for all users at once, in blocks, from sparse matrices.

What is computed is defined in `campaigns.py` (one user) and tested to be the same; here it is only
fast enough for 100,000 users. Nothing is read or stored here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from marketing_platform.recommenders.answers import (
    CampaignRecommendationsAnswer,
    SimilarUser,
    SimilarUsersAnswer,
)
from marketing_platform.recommenders.campaigns import (
    SCORE_DIGITS,
    Ranked,
    SimilarNeighbour,
    Taken,
    explained,
    popular_campaigns,
)

# CSR; scipy's own types do not say what their parts are.
Matrix = Any
_BLOCK_ROWS = 2_000
_COMMON_CAMPAIGNS = 5


@dataclass(frozen=True)
class Interactions:
    """Who is similar to whom, and who took part in what; build it with `interactions`."""

    users: list[str]  # ascending
    campaigns: list[str]  # ascending, those without participants among them
    similarity: Matrix  # users x users, cosine
    taken: Matrix  # users x campaigns, engagement; an entry for every participation

    @cached_property
    def engaged(self) -> Matrix:
        """The participations that count: engagement above zero."""
        return _above_zero(self.taken)

    @cached_property
    def engagement(self) -> np.ndarray:
        """Overall engagement per campaign."""
        return np.asarray(self.taken.sum(axis=0)).ravel()


def interactions(
    users: Sequence[str], campaigns: Sequence[str], similar: pa.Table, participation: pa.Table
) -> Interactions:
    """From tables.

    `similar` has user_id, similar_user_id and score; `participation` has user_id, campaign_id and
    engagement_score, and its rows without a user or campaign are left out. Raises ValueError when
    a table names a user or campaign that is not in `users` or `campaigns`.
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


def recommend_all(
    given: Interactions, *, limit: int, block_rows: int = _BLOCK_ROWS
) -> Iterator[list[CampaignRecommendationsAnswer]]:
    """The answer for every user, in order, a block at a time; see `rank_campaigns` for the ranking."""
    engagement = dict(zip(given.campaigns, given.engagement.tolist(), strict=True))
    for start in range(0, len(given.users), block_rows):
        rows = range(start, min(start + block_rows, len(given.users)))
        ranked = _rank_block(given, rows, limit)
        yield [
            explained(given.users[row], ranked[row][1], neighbours=ranked[row][0])
            if row in ranked
            else popular_campaigns(given.users[row], _own(given, row), engagement, limit=limit)
            for row in rows
        ]


def similar_users_of_all(
    given: Interactions, *, model: str, block_rows: int = _BLOCK_ROWS
) -> Iterator[list[SimilarUsersAnswer]]:
    """The similar users of every user, best first, a block at a time."""
    for start in range(0, len(given.users), block_rows):
        rows = range(start, min(start + block_rows, len(given.users)))
        yield [
            SimilarUsersAnswer(user_id=given.users[row], model=model, items=_similar_users(given, row))
            for row in rows
        ]


def _similar_users(given: Interactions, row: int) -> tuple[SimilarUser, ...]:
    span = slice(given.similarity.indptr[row], given.similarity.indptr[row + 1])
    others, scores = given.similarity.indices[span], given.similarity.data[span]
    own = _own(given, row)
    return tuple(
        SimilarUser(
            user_id=given.users[others[at]],
            score=float(scores[at]),
            common_campaigns=_common(own, _own(given, int(others[at]))),
        )
        for at in np.lexsort((others, -scores))
    )


def _common(own: dict[str, float], theirs: dict[str, float]) -> tuple[str, ...]:
    """Campaigns of both, those first in which the less engaged of the two is most engaged."""
    common = own.keys() & theirs.keys()
    ranked = sorted(common, key=lambda campaign: (-min(own[campaign], theirs[campaign]), campaign))
    return tuple(ranked[:_COMMON_CAMPAIGNS])


def _own(given: Interactions, row: int) -> dict[str, float]:
    span = slice(given.taken.indptr[row], given.taken.indptr[row + 1])
    names = [given.campaigns[column] for column in given.taken.indices[span].tolist()]
    return dict(zip(names, given.taken.data[span].tolist(), strict=True))


def _rank_block(given: Interactions, rows: range, limit: int) -> dict[int, tuple[int, list[Ranked]]]:
    """For each row with scored campaigns the number of similar users and the best campaigns."""
    similarity = _above_zero(given.similarity[rows.start : rows.stop])
    scored = sparse.csr_matrix(similarity @ given.engaged)
    neighbours = np.diff(similarity.indptr)
    row, column = _coordinates(scored)
    score = scored.data / np.asarray(similarity.sum(axis=1)).ravel()[row]
    already = _values_at(given.taken[rows.start : rows.stop], row, column)[1]
    order = np.lexsort((column, -given.engagement[column], -np.round(score, SCORE_DIGITS), already, row))
    best = order[_rank_within(row[order]) < limit]
    taken = _taken(given, similarity, row[best], column[best])
    ranked: dict[int, tuple[int, list[Ranked]]] = {}
    for at, parts in zip(best.tolist(), taken, strict=True):
        campaign = int(column[at])
        _, campaigns = ranked.setdefault(rows.start + int(row[at]), (int(neighbours[row[at]]), []))
        campaigns.append(
            Ranked(
                campaign_id=given.campaigns[campaign],
                score=float(score[at]),
                engagement=float(given.engagement[campaign]),
                already_participated=bool(already[at]),
                taken=parts,
            )
        )
    return ranked


def _taken(
    given: Interactions, similarity: Matrix, row: np.ndarray, column: np.ndarray
) -> Iterator[list[Taken]]:
    """For each pair of a row and a campaign the similar users who took part, largest weight first."""
    sizes = np.diff(similarity.indptr)[row]
    pair = np.repeat(np.arange(len(row)), sizes)
    entry = similarity.indptr[row][pair] + np.arange(len(pair)) - (np.cumsum(sizes) - sizes)[pair]
    user = similarity.indices[entry]
    engagement, there = _values_at(given.engaged, user, column[pair])
    pair, user, engagement = pair[there], user[there], engagement[there]
    closeness = similarity.data[entry][there]
    order = np.lexsort((user, -closeness * engagement, pair))
    ends = np.cumsum(np.bincount(pair, minlength=len(row))).tolist()
    names = [given.users[at] for at in user[order].tolist()]
    parts = [
        Taken(SimilarNeighbour(name, near), value)
        for name, near, value in zip(
            names, closeness[order].tolist(), engagement[order].tolist(), strict=True
        )
    ]
    start = 0
    for end in ends:
        yield parts[start:end]
        start = end


def _rank_within(groups: np.ndarray) -> np.ndarray:
    """0, 1, 2, … within each run of equal values."""
    sizes = np.bincount(groups) if len(groups) else np.zeros(0, np.int64)
    return np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _values_at(matrix: Matrix, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The entries at (row, column), and whether there is one; indices of the matrix are sorted."""
    if not matrix.nnz:
        return np.zeros(len(row)), np.zeros(len(row), bool)
    width = matrix.shape[1]
    rows, columns = _coordinates(matrix)
    keys = rows * width + columns
    wanted = row.astype(np.int64) * width + column
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    there = keys[at] == wanted
    return np.where(there, matrix.data[at], 0.0), there


def _coordinates(matrix: Matrix) -> tuple[np.ndarray, np.ndarray]:
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return rows, matrix.indices.astype(np.int64)


def _above_zero(matrix: Matrix) -> Matrix:
    kept = matrix.copy()
    kept.data = np.maximum(kept.data, 0.0)
    kept.eliminate_zeros()
    return kept


def _places(kind: str, known: Sequence[str], named: pa.ChunkedArray) -> np.ndarray:
    place = {name: at for at, name in enumerate(known)}
    try:
        return np.fromiter((place[name] for name in named.to_pylist()), np.int64, len(named))
    except KeyError as error:
        raise ValueError(f"unknown {kind} {error}: every {kind} of a table must be given") from error


def _matrix(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> Matrix:
    matrix = sparse.csr_matrix((values.astype(np.float64), (rows, columns)), shape=shape)
    matrix.sort_indices()
    return matrix
