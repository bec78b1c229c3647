"""Answers for all users at once, in blocks, from sparse matrices.

What is computed is defined in `campaigns.py` (one user) and how it looks in `answers.py`; tests hold
this module to both. Here it is only fast enough for 100,000 users: figures are computed as arrays,
and answers are written from them without a model in between, which would cost ten times as much.
Nothing is read or stored here.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from scipy import sparse

from marketing_platform.recommenders.answers import ANSWER_SCHEMA, FIGURE_DIGITS, to_json
from marketing_platform.recommenders.campaigns import (
    NAMED_CONTRIBUTIONS,
    PARTICIPATED_IN,
    SCORE_DIGITS,
    SIMILAR_TO,
    node,
    popular_campaigns,
    reason,
)
from marketing_platform.recommenders.interactions import Entries, Interactions, above_zero, coordinates

_BLOCK_ROWS = 2_000
_COMMON_CAMPAIGNS = 5


def recommend_all(given: Interactions, *, limit: int, block_rows: int = _BLOCK_ROWS) -> Iterator[pa.Table]:
    """The answer for every user (CampaignRecommendationsAnswer) as rows of ANSWER_SCHEMA, in order of user.

    A block of users at a time; see `rank_campaigns` for the ranking.
    """
    writer = _CampaignWriter(given, limit)
    for rows in _blocks(len(given.users), block_rows):
        with _uncollected():
            items = writer.items(_rank_block(given, rows, limit))
            table = _table((given.users[row], writer.answer(row, items.get(row))) for row in rows)
        yield table


def similar_users_of_all(
    given: Interactions, *, model: str, block_rows: int = _BLOCK_ROWS
) -> Iterator[pa.Table]:
    """The similar users of every user, best first (SimilarUsersAnswer), as rows of ANSWER_SCHEMA.

    A block of users at a time, in order of user.
    """
    for rows in _blocks(len(given.users), block_rows):
        with _uncollected():
            table = _table(_similar_answers(given, rows, model))
        yield table


def _similar_answers(given: Interactions, rows: range, model: str) -> Iterator[tuple[str, bytes]]:
    pairs = _similar_block(given, rows)
    items = [
        {"user_id": given.users[user], "score": score, "common_campaigns": common}
        for user, score, common in zip(
            pairs.user.tolist(), _figures(pairs.score), _common(given, pairs), strict=True
        )
    ]
    bounds = np.searchsorted(pairs.row, np.arange(rows.start, rows.stop + 1)).tolist()
    for row, (start, end) in zip(rows, pairwise(bounds), strict=True):
        user = given.users[row]
        yield user, orjson.dumps({"user_id": user, "model": model, "items": items[start:end]})


class _Pairs(NamedTuple):
    """Users and who is similar to them, in order of user, score and other."""

    row: np.ndarray
    user: np.ndarray  # the similar one
    score: np.ndarray


def _similar_block(given: Interactions, rows: range) -> _Pairs:
    block = given.similarity[rows.start : rows.stop]
    row, user = coordinates(block)
    order = np.lexsort((user, -block.data, row))
    return _Pairs(row[order] + rows.start, user[order], block.data[order])


def _common(given: Interactions, pairs: _Pairs) -> Iterator[list[str]]:
    """For each pair up to 5 campaigns of both, those first in which the less engaged is most engaged."""
    pair, place = given.participation.of_rows(pairs.user)
    campaign, theirs = given.taken.indices[place], given.taken.data[place]
    own, there = given.participation.at(pairs.row[pair], campaign)
    pair, campaign, both = pair[there], campaign[there], np.minimum(own, theirs)[there]
    order = np.lexsort((campaign, -both, pair))
    order = order[_rank_within(pair[order]) < _COMMON_CAMPAIGNS]
    names = [given.campaigns[at] for at in campaign[order].tolist()]
    bounds = np.searchsorted(pair[order], np.arange(len(pairs.row) + 1)).tolist()
    return (names[start:end] for start, end in pairwise(bounds))


class _RankedBlock(NamedTuple):
    """The best campaigns of a block of users, in order of user and rank, and who took part in them."""

    row: np.ndarray
    column: np.ndarray
    score: np.ndarray
    already: np.ndarray
    neighbours: np.ndarray  # how many similar users the user has
    taken: _Taken


class _Taken(NamedTuple):
    """The similar users who took part, in order of ranked campaign and weight, largest first."""

    pair: np.ndarray  # which ranked campaign
    user: np.ndarray
    similarity: np.ndarray
    engagement: np.ndarray


def _rank_block(given: Interactions, rows: range, limit: int) -> _RankedBlock:
    similarity = above_zero(given.similarity[rows.start : rows.stop])
    scored = sparse.csr_matrix(similarity @ given.engaged.matrix)
    row, column = coordinates(scored)
    score = scored.data / np.asarray(similarity.sum(axis=1)).ravel()[row]
    already = given.participation.at(row + rows.start, column)[1]
    order = np.lexsort((column, -given.engagement[column], -np.round(score, SCORE_DIGITS), already, row))
    best = order[_rank_within(row[order]) < limit]
    return _RankedBlock(
        row=row[best] + rows.start,
        column=column[best],
        score=score[best],
        already=already[best],
        neighbours=np.diff(similarity.indptr)[row[best]],
        taken=_taken(given, Entries(similarity), row[best], column[best]),
    )


def _taken(given: Interactions, similarity: Entries, row: np.ndarray, column: np.ndarray) -> _Taken:
    pair, place = similarity.of_rows(row)
    user, closeness = similarity.matrix.indices[place], similarity.matrix.data[place]
    engagement, there = given.engaged.at(user, column[pair])
    pair, user, closeness, engagement = pair[there], user[there], closeness[there], engagement[there]
    order = np.lexsort((user, -closeness * engagement, pair))
    return _Taken(pair[order], user[order], closeness[order], engagement[order])


class _CampaignWriter:
    """Writes items of campaigns; nodes of paths and popular campaigns are written once."""

    def __init__(self, given: Interactions, limit: int) -> None:
        self._given = given
        self._limit = limit
        self._users = [orjson.Fragment(to_json(node("User", user))) for user in given.users]
        self._campaigns = [orjson.Fragment(to_json(node("Campaign", name))) for name in given.campaigns]
        self._similar_to = orjson.Fragment(to_json(SIMILAR_TO))
        self._participated_in = orjson.Fragment(to_json(PARTICIPATED_IN))
        self._engagement = dict(zip(given.campaigns, given.engagement.tolist(), strict=True))
        self._popular: dict[frozenset[str], orjson.Fragment] = {}

    def items(self, ranked: _RankedBlock) -> dict[int, list[dict[str, Any]]]:
        """For each row (of all users) that has any the items, best first."""
        given, taken = self._given, ranked.taken
        sizes = np.bincount(taken.pair, minlength=len(ranked.row))
        first = np.cumsum(sizes) - sizes
        items: dict[int, list[dict[str, Any]]] = {}
        for row, column, score, engagement, already, neighbours, size, closest, near, contributions in zip(
            ranked.row.tolist(),
            ranked.column.tolist(),
            _figures(ranked.score),
            _figures(given.engagement[ranked.column]),
            ranked.already.tolist(),
            ranked.neighbours.tolist(),
            sizes.tolist(),
            taken.user[first].tolist(),
            taken.similarity[first].tolist(),
            self._contributions(taken, sizes),
            strict=True,
        ):
            item = {
                "campaign_id": given.campaigns[column],
                "score": score,
                "engagement": engagement,
                "already_participated": already,
                "reason": reason(size, neighbours, given.users[closest], near, already_participated=already),
                "contributions": contributions,
                "path": [
                    self._users[row],
                    self._similar_to,
                    self._users[closest],
                    self._participated_in,
                    self._campaigns[column],
                ],
            }
            items.setdefault(row, []).append(item)
        return items

    def answer(self, row: int, items: list[dict[str, Any]] | None) -> bytes:
        """The whole answer for a user: these items, or popular campaigns when there are none."""
        if items is None:
            return self._popular_answer(row)
        return orjson.dumps({"user_id": self._given.users[row], "strategy": "similar_users", "items": items})

    def _popular_answer(self, row: int) -> bytes:
        user = self._given.users[row]
        span = slice(*self._given.taken.indptr[row : row + 2])
        own = frozenset(self._given.campaigns[column] for column in self._given.taken.indices[span].tolist())
        if own not in self._popular:
            answer = popular_campaigns(user, own, self._engagement, limit=self._limit)
            self._popular[own] = orjson.Fragment(b"[" + b",".join(map(to_json, answer.items)) + b"]")
        return orjson.dumps({"user_id": user, "strategy": "popular", "items": self._popular[own]})

    def _contributions(self, taken: _Taken, sizes: np.ndarray) -> Iterator[list[dict[str, Any]]]:
        """For each ranked campaign the largest contributions by name, all others as one."""
        weight = taken.similarity * taken.engagement
        share = weight / np.bincount(taken.pair, weight, len(sizes))[taken.pair]
        named = _rank_within(taken.pair) < NAMED_CONTRIBUTIONS
        others = taken.pair[~named]
        entries = [
            {
                "user_id": self._given.users[user],
                "users": 1,
                "similarity": similarity,
                "engagement": engagement,
                "share": part,
            }
            for user, similarity, engagement, part in zip(
                taken.user[named].tolist(),
                _figures(taken.similarity[named]),
                _figures(taken.engagement[named]),
                _figures(share[named]),
                strict=True,
            )
        ]
        start = 0
        for size, engagement, part in zip(
            sizes.tolist(),
            _figures(np.bincount(others, taken.engagement[~named], len(sizes))),
            _figures(np.bincount(others, share[~named], len(sizes))),
            strict=True,
        ):
            end = start + min(size, NAMED_CONTRIBUTIONS)
            contributions = entries[start:end]
            if size > NAMED_CONTRIBUTIONS:
                contributions.append(
                    {
                        "user_id": None,
                        "users": size - NAMED_CONTRIBUTIONS,
                        "similarity": None,
                        "engagement": engagement,
                        "share": part,
                    }
                )
            yield contributions
            start = end


@contextmanager
def _uncollected() -> Generator[None]:
    """Without garbage collection: nothing built here refers to itself, and to check takes half the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _table(answers: Iterator[tuple[str, bytes]]) -> pa.Table:
    keys, documents = zip(*answers, strict=True)
    return pa.table({"key": keys, "answer": documents}, schema=ANSWER_SCHEMA)


def _figures(values: np.ndarray) -> list[float]:
    """As `Figure` rounds them; all are finite, since what they are computed from is."""
    return np.round(values, FIGURE_DIGITS).tolist()


def _blocks(users: int, block_rows: int) -> Iterator[range]:
    for start in range(0, users, block_rows):
        yield range(start, min(start + block_rows, users))


def _rank_within(groups: np.ndarray) -> np.ndarray:
    """0, 1, 2, … within each run of equal values; the values ascend."""
    sizes = np.bincount(groups) if len(groups) else np.zeros(0, np.int64)
    return np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
