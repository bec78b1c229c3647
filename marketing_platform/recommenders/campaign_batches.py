"""Answers for all users at once, in blocks, from sparse matrices.

What is computed is defined in `campaigns.py` (one user) and how it looks in `answers.py`; tests hold
this module to both. Here it is only fast enough for 100,000 users: figures are computed as arrays,
and answers are written from them without a model in between, which would cost ten times as much.
Nothing is read or stored here.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from marketing_platform.cores import in_order
from marketing_platform.recommenders.answers import ANSWER_SCHEMA, to_json
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
from marketing_platform.recommenders.json_columns import (
    Parts,
    Text,
    arrays,
    encoded,
    figures,
    flags,
    joined,
    objects,
    taken,
)
from marketing_platform.recommenders.prepared import stored_lists
from marketing_platform.recommenders.ranking import rank_within

_BLOCK_ROWS = 2_000
# What stands between the nodes of a path.
_SIMILAR_TO = f",{to_json(SIMILAR_TO).decode()},"
_PARTICIPATED_IN = f",{to_json(PARTICIPATED_IN).decode()},"
_COMMON_CAMPAIGNS = 5
_SOMEBODY = "{somebody}"  # stands for the closest user in a sentence that is written once


def recommend_all(
    given: Interactions,
    *,
    limit: int,
    shown: int,
    categories: Mapping[str, str | None],
    block_rows: int = _BLOCK_ROWS,
) -> Iterator[pa.Table]:
    """The stored list (`prepared.py`) of every user as rows of ANSWER_SCHEMA, in order of user.

    Lists are CampaignRecommendationsAnswer; see `rank_campaigns` for the ranking. A block of users at a time
    on each core.

    Args:
        given: Who is similar, and who took part in what.
        limit: Campaigns of a list, with spares.
        shown: How many of them are shown when nothing is dropped.
        categories: By id of the campaign.
        block_rows: How many users are handled at once.
    """
    writer = _CampaignWriter(given, limit, shown, categories)
    return in_order(
        lambda rows: writer.lists(rows, _rank_block(given, rows, limit)),
        _blocks(len(given.users), block_rows),
    )


def similar_users_of_all(
    given: Interactions, *, model: str, block_rows: int = _BLOCK_ROWS
) -> Iterator[pa.Table]:
    """The similar users of every user, best first (SimilarUsersAnswer), as rows of ANSWER_SCHEMA.

    A block of users at a time on each core, in order of user.
    """
    users, campaigns = encoded(given.users), encoded(given.campaigns)

    def made(rows: range) -> pa.Table:
        pairs = _similar_block(given, rows)
        items = {
            "user_id": users.take(pa.array(pairs.user)),
            "score": figures(pairs.score),
            "common_campaigns": arrays(*_common(given, pairs, campaigns)),
        }
        sizes = np.bincount(pairs.row - rows.start, minlength=len(rows))
        answers = {
            "user_id": users[rows.start : rows.stop],
            "model": encoded([model])[0].as_py(),
            "items": arrays(joined(objects(items)), sizes),
        }
        documents = joined(objects(answers)).cast(pa.binary())
        return pa.table({"key": given.users[rows.start : rows.stop], "answer": documents}, ANSWER_SCHEMA)

    return in_order(made, _blocks(len(given.users), block_rows))


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


def _common(given: Interactions, pairs: _Pairs, campaigns: Text) -> tuple[Text, np.ndarray]:
    """For each pair up to 5 campaigns of both, those first in which the less engaged is most engaged.

    All of them one after the other, and how many each pair has.
    """
    pair, place = given.participation.of_rows(pairs.user)
    campaign, theirs = given.taken.indices[place], given.taken.data[place]
    own, there = given.participation.at(pairs.row[pair], campaign)
    pair, campaign, both = pair[there], campaign[there], np.minimum(own, theirs)[there]
    order = np.lexsort((campaign, -both, pair))
    order = order[rank_within(pair[order]) < _COMMON_CAMPAIGNS]
    return campaigns.take(pa.array(campaign[order])), np.bincount(pair[order], minlength=len(pairs.row))


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
    best = order[rank_within(row[order]) < limit]
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
    """Writes stored lists as columns of JSON: what all of them say is encoded once."""

    def __init__(
        self, given: Interactions, limit: int, shown: int, categories: Mapping[str, str | None]
    ) -> None:
        self._given = given
        self._limit = limit
        self._shown = shown
        self._users = encoded(given.users)
        self._campaigns = encoded(given.campaigns)
        self._categories = encoded(map(categories.get, given.campaigns))
        self._user_nodes = _nodes("User", given.users)
        self._campaign_nodes = _nodes("Campaign", given.campaigns)
        self._places = {name: place for place, name in enumerate(given.campaigns)}
        self._engagement = dict(zip(given.campaigns, given.engagement.tolist(), strict=True))
        self._popular: dict[frozenset[str], tuple[list[int], list[bytes]]] = {}

    def lists(self, rows: range, ranked: _RankedBlock) -> pa.Table:
        """The lists of these users: what is ranked for them, or popular campaigns where nothing is."""
        without = np.setdiff1d(np.arange(rows.start, rows.stop), ranked.row)
        popular = [self._popular_items(row) for row in without.tolist()]
        column = [place for places, _ in popular for place in places]
        row = np.concatenate([ranked.row, np.repeat(without, [len(places) for places, _ in popular])])
        order = pa.array(np.argsort(row, kind="stable"))
        of_item = pa.array(np.concatenate([ranked.column, np.asarray(column, np.int64)])).take(order)
        items = pa.concat_arrays(
            [self._items(ranked), _texts(text for _, texts in popular for text in texts)]
        )
        users = pa.array(np.arange(rows.start, rows.stop))
        by_popularity = np.isin(np.arange(rows.start, rows.stop), without).astype(np.int64)
        documents = stored_lists(
            {
                "user_id": self._users.take(users),
                "strategy": taken([encoded(("similar_users", "popular"))], by_popularity),
            },
            shown=self._shown,
            ids=self._campaigns.take(of_item),
            categories=self._categories.take(of_item),
            items=items.take(order),
            sizes=np.bincount(row - rows.start, minlength=len(rows)),
        )
        return pa.table(
            {"key": self._given.users[rows.start : rows.stop], "answer": documents}, ANSWER_SCHEMA
        )

    def _items(self, ranked: _RankedBlock) -> Text:
        """The ranked campaigns as JSON, in their order."""
        of_pair = ranked.taken
        sizes = np.bincount(of_pair.pair, minlength=len(ranked.row))
        first = np.cumsum(sizes) - sizes
        closest = of_pair.user[first]
        columns = pa.array(ranked.column)
        path = (
            self._user_nodes.take(pa.array(ranked.row)),
            _SIMILAR_TO,
            self._user_nodes.take(pa.array(closest)),
            _PARTICIPATED_IN,
            self._campaign_nodes.take(columns),
        )
        given = {
            "campaign_id": self._campaigns.take(columns),
            "score": figures(ranked.score),
            "engagement": figures(self._given.engagement[ranked.column]),
            "already_participated": flags(ranked.already),
            "reason": self._reasons(ranked, sizes, closest, of_pair.similarity[first]),
            "contributions": self._contributions(of_pair, sizes),
            "path": ("[", *path, "]"),
        }
        return joined(objects(given))

    def _reasons(
        self, ranked: _RankedBlock, sizes: np.ndarray, closest: np.ndarray, similarity: np.ndarray
    ) -> Parts:
        """Sentences: written once for equal figures, with the closest user put in."""
        told = np.column_stack([sizes, ranked.neighbours, np.rint(100 * similarity), ranked.already])
        different, number = np.unique(told.astype(np.int64), axis=0, return_inverse=True)
        sentences = [
            reason(number, neighbours, _SOMEBODY, percent / 100, already_participated=bool(already))
            for number, neighbours, percent, already in different.tolist()
        ]
        halves = [encoded([text])[0].as_py().split(_SOMEBODY) for text in sentences]
        before, after = (_texts(half[part].encode() for half in halves) for part in (0, 1))
        at = pa.array(number.ravel())
        # An id is JSON with quotes; within the sentence it stands without.
        names = pc.utf8_slice_codeunits(self._users.take(pa.array(closest)), 1, -1)
        return before.take(at), names, after.take(at)

    def _contributions(self, of_pair: _Taken, sizes: np.ndarray) -> Parts:
        """For each ranked campaign the largest contributions by name, all others as one."""
        weight = of_pair.similarity * of_pair.engagement
        share = weight / np.bincount(of_pair.pair, weight, len(sizes))[of_pair.pair]
        named = rank_within(of_pair.pair) < NAMED_CONTRIBUTIONS
        by_name = {
            "user_id": self._users.take(pa.array(of_pair.user[named])),
            "users": "1",
            "similarity": figures(of_pair.similarity[named]),
            "engagement": figures(of_pair.engagement[named]),
            "share": figures(share[named]),
        }
        more = np.flatnonzero(sizes > NAMED_CONTRIBUTIONS)
        others = of_pair.pair[~named]
        of_others = {
            "user_id": "null",
            "users": pc.cast(pa.array(sizes[more] - NAMED_CONTRIBUTIONS), pa.string()),
            "similarity": "null",
            "engagement": figures(np.bincount(others, of_pair.engagement[~named], len(sizes))[more]),
            "share": figures(np.bincount(others, share[~named], len(sizes))[more]),
        }
        entries = pa.concat_arrays([joined(objects(by_name)), joined(objects(of_others))])
        order = np.argsort(np.concatenate([of_pair.pair[named], more]), kind="stable")
        counts = np.minimum(sizes, NAMED_CONTRIBUTIONS) + (sizes > NAMED_CONTRIBUTIONS)
        return arrays(entries.take(pa.array(order)), counts)

    def _popular_items(self, row: int) -> tuple[list[int], list[bytes]]:
        """Places and JSON of the popular campaigns; the same for all who took part in the same."""
        span = slice(*self._given.taken.indptr[row : row + 2])
        own = frozenset(self._given.campaigns[column] for column in self._given.taken.indices[span].tolist())
        if own not in self._popular:
            user = self._given.users[row]
            found = popular_campaigns(user, own, self._engagement, limit=self._limit).items
            places = [self._places[item.campaign_id] for item in found]
            self._popular[own] = places, [to_json(item) for item in found]
        return self._popular[own]


def _nodes(label: str, ids: Sequence[str]) -> Text:
    return _texts(to_json(node(label, one)) for one in ids)


def _texts(values: Iterable[bytes]) -> Text:
    """JSON as it is."""
    return pa.array(list(values), pa.string())


def _blocks(users: int, block_rows: int) -> Iterator[range]:
    for start in range(0, users, block_rows):
        yield range(start, min(start + block_rows, users))
