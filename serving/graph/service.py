"""Questions to the knowledge graph of the release."""

from __future__ import annotations

from marketing_platform.graph import queries
from marketing_platform.graph.profile import profile_graph
from serving import responses
from serving.errors import ApiError
from serving.releases import KNOWLEDGE_GRAPH, OpenRelease


def user_campaigns(release: OpenRelease, user_id: str, limit: int) -> bytes:
    """What the user took part in; `unknown_user` (404) when the graph has no such user."""
    found = queries.user_campaigns(release.graph, user_id, limit=limit)
    if not found and not queries.user_exists(release.graph, user_id):
        raise ApiError("unknown_user", parameter="user_id")
    return responses.to_json({"user_id": user_id, "items": found})


def profile(release: OpenRelease, user_id: str, depth: int, limit: int) -> bytes:
    """The graph around the user; `unknown_user` (404) when the graph has no such user."""
    held = release.manifest.graphs[KNOWLEDGE_GRAPH].relations
    found = profile_graph(release.graph, user_id, depth=depth, limit=limit, held=held)
    if found is None:
        raise ApiError("unknown_user", parameter="user_id")
    return responses.to_json(
        {"user_id": user_id, "nodes": found.nodes, "edges": found.edges, "truncated": found.truncated}
    )
