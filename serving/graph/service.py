"""Questions to the knowledge graph of the release."""

from __future__ import annotations

from marketing_platform.graph import queries
from serving import responses
from serving.errors import ApiError
from serving.releases import OpenRelease


def user_campaigns(release: OpenRelease, user_id: str, limit: int) -> bytes:
    """What the user took part in; `unknown_user` (404) when the graph has no such user."""
    found = queries.user_campaigns(release.graph, user_id, limit=limit)
    if not found and not queries.user_exists(release.graph, user_id):
        raise ApiError("unknown_user", parameter="user_id")
    return responses.to_json({"user_id": user_id, "items": found})
