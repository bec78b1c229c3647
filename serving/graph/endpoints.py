"""`/graph/…` and `/api/v1/users/{user_id}/profile-graph`: what a developer asks about a user."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.access.permission import DENIALS_OF_USERS, allowed
from serving.graph import schemas, service
from serving.lookups import OF_RELEASE, Lookups, lookups_of
from serving.parameters import PathUserId, QueryUserId

_MAY = [Depends(allowed(Scope.READ_RECOMMENDATIONS)), OF_RELEASE]
router = APIRouter(prefix="/graph", tags=["graph"], dependencies=_MAY)
users = APIRouter(prefix="/api/v1/users", tags=["graph"], dependencies=_MAY)

Ask = Annotated[Lookups, Depends(lookups_of)]
Limit = Annotated[int, Query(description="At most so many campaigns.", ge=1, le=500)]
Depth = Annotated[int, Query(description="How many steps to go from the user.", ge=1, le=3)]
Edges = Annotated[int, Query(description="At most so many edges of each kind.", ge=1, le=200)]
_FAILURES = (
    *DENIALS_OF_USERS,
    "unknown_user",
    "invalid_parameter",
    "unknown_release",
    "no_release",
    "store_unavailable",
    "internal_error",
)


@router.get(
    "/user-campaigns",
    summary="What a user took part in",
    response_model=schemas.UserCampaignsAnswer,
    responses={
        **responses.documented(schemas.example(), "Campaigns of the user, most engaged first."),
        **errors.documented(*_FAILURES),
    },
)
async def user_campaigns(
    *, request: Request, lookups: Ask, user_id: QueryUserId, limit: Limit = 100
) -> Response:
    """Campaigns with at least one event of the user; no items for a user without events."""
    return await lookups.answer(request, "graph", service.user_campaigns, user_id, limit)


# The convertor lets ids contain slashes, as everywhere.
@users.get(
    "/{user_id:path}/profile-graph",
    summary="The graph around a user",
    response_model=schemas.ProfileAnswer,
    responses={
        **responses.documented(schemas.profile_example(), "Nodes and edges, the user first."),
        **errors.documented(*_FAILURES),
    },
)
async def profile_graph(
    *, request: Request, lookups: Ask, user_id: PathUserId, depth: Depth = 2, limit: Edges = 50
) -> Response:
    """What the user took part in, bought and cares about, and what that belongs to.

    Of each kind of edges the strongest come first; `truncated` names the kinds of which there are more.
    What is related to another user is not told here.
    """
    return await lookups.answer(request, "graph", service.profile, user_id, depth, limit)
