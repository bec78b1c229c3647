"""`/graph/…`: one-hop questions that a developer asks about a user. Blocking reads, so plain `def`s."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.access.permission import DENIALS_OF_USERS, allowed
from serving.graph import schemas, service
from serving.lookups import Lookups, lookups_of
from serving.parameters import QueryUserId

_MAY = [Depends(allowed(Scope.READ_RECOMMENDATIONS))]
router = APIRouter(prefix="/graph", tags=["graph"], dependencies=_MAY)

Ask = Annotated[Lookups, Depends(lookups_of)]
Limit = Annotated[int, Query(description="At most so many campaigns.", ge=1, le=500)]


@router.get(
    "/user-campaigns",
    summary="What a user took part in",
    response_model=schemas.UserCampaignsAnswer,
    responses={
        **responses.documented(schemas.example(), "Campaigns of the user, most engaged first."),
        **errors.documented(
            *DENIALS_OF_USERS,
            "unknown_user",
            "invalid_parameter",
            "no_release",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def user_campaigns(
    *, request: Request, lookups: Ask, user_id: QueryUserId, limit: Limit = 100
) -> Response:
    """Campaigns with at least one event of the user; no items for a user without events."""
    return await lookups.answer(request, "graph", service.user_campaigns, user_id, limit)
