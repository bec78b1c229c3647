"""The look-ups, and the one path that computes: message, vectors, graph, rank."""

from __future__ import annotations

from typing import Literal

import orjson

from marketing_platform.graph import queries
from marketing_platform.recommenders.answers import to_json
from marketing_platform.recommenders.campaigns import neighbours_of_messages, rank_campaigns
from serving.errors import ApiError
from serving.live import LivePath
from serving.releases import (
    CAMPAIGNS,
    MESSAGE_EMBEDDINGS,
    PRODUCTS,
    RECOMMENDATIONS,
    SIMILAR_USERS,
    OpenRelease,
)

Kind = Literal["product", "campaign"]
_ANSWERS: dict[Kind, str] = {"product": PRODUCTS, "campaign": CAMPAIGNS}

# Enough to find as many different users as are asked for when some wrote many of the messages.
_SIMILAR_MESSAGES = 200


def similar_users(release: OpenRelease, user_id: str, limit: int | None) -> bytes:
    """The prepared similar users; `unknown_user` (404) when the release has no such user."""
    return _first(_known(release, SIMILAR_USERS, user_id), limit)


def prepared(release: OpenRelease, user_id: str, limit: int | None) -> bytes:
    """The prepared recommendations; `unknown_user` (404) when the release has no such user."""
    return _first(_known(release, RECOMMENDATIONS, user_id), limit)


def of_user(release: OpenRelease, user_id: str, kind: Kind, limit: int | None, *, explain: bool) -> bytes:
    """The prepared recommendations of a kind, without contributions and paths unless asked to `explain`.

    `unknown_user` (404) when the release has no such user, `not_ready` (503) when it is older than the kind.
    """
    answer = _first(_known(release, _ANSWERS[kind], user_id), limit)
    if explain:
        return answer
    document = orjson.loads(answer)
    for item in document["items"]:
        item.update(contributions=[], path=[])
    return orjson.dumps(document)


def live(release: OpenRelease, path: LivePath, user_id: str, message: str, limit: int | None) -> bytes:
    """Recommendations for a message typed now, from the users who wrote the most similar ones.

    `unknown_user` (404), `not_ready` (503) before the encoder is open or while the release was made by
    another one, `invalid_parameter` (422) for a message in which the encoder finds no word.
    """
    _known(release, RECOMMENDATIONS, user_id)
    encoder = path.encoder
    if encoder.name != release.manifest.vectors[MESSAGE_EMBEDDINGS].model:
        raise ApiError("not_ready", part="a release made by the encoder that is set")
    vector = encoder.encode([message])
    if not vector.any():
        problem = {"in": "query", "name": "message", "problem": "must contain words"}
        raise ApiError("invalid_parameter", problems=[problem])
    hits = release.vectors().search(vector, limit=_SIMILAR_MESSAGES)[0]
    neighbours = neighbours_of_messages(hits, user_id=user_id)[: path.neighbours]
    users = [user_id, *(neighbour.user_id for neighbour in neighbours)]
    participation: dict[str, dict[str, float]] = {}
    for part in queries.participation_of_users(release.graph, users):
        participation.setdefault(part.user_id, {})[part.campaign_id] = part.engagement_score
    answer = rank_campaigns(user_id, neighbours, participation, release.engagement, limit=limit or path.items)
    return to_json(answer)


def _known(release: OpenRelease, kind: str, user_id: str) -> bytes:
    found = release.answer(kind, user_id)
    if found is None:
        raise ApiError("unknown_user", parameter="user_id")
    return found


def _first(answer: bytes, limit: int | None) -> bytes:
    """The first `limit` items; the ready bytes as they are without one."""
    if limit is None:
        return answer
    document = orjson.loads(answer)
    document["items"] = document["items"][:limit]
    return orjson.dumps(document)
