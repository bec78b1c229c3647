"""The look-ups, and the one path that computes: message, vectors, graph, rank."""

from __future__ import annotations

import orjson

from serving.errors import ApiError
from serving.releases import RECOMMENDATIONS, SIMILAR_USERS, OpenRelease


def similar_users(release: OpenRelease, user_id: str, limit: int | None) -> bytes:
    """The prepared similar users; `unknown_user` (404) when the release has no such user."""
    return _first(_known(release, SIMILAR_USERS, user_id), limit)


def prepared(release: OpenRelease, user_id: str, limit: int | None) -> bytes:
    """The prepared recommendations; `unknown_user` (404) when the release has no such user."""
    return _first(_known(release, RECOMMENDATIONS, user_id), limit)


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
