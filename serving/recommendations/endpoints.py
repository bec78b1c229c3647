"""`/recommendations/…` and `/api/v1/users/…/recommendations`: look-ups, and the live path."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.access.permission import DENIALS_OF_USERS, allowed
from serving.live import LivePath
from serving.lookups import Lookups, lookups_of
from serving.parameters import PathUserId, QueryUserId, TypedMessage
from serving.recommendations import schemas, service

_MAY = [Depends(allowed(Scope.READ_RECOMMENDATIONS))]
router = APIRouter(prefix="/recommendations", tags=["recommendations"], dependencies=_MAY)
users = APIRouter(prefix="/api/v1/users", tags=["recommendations"], dependencies=_MAY)

Ask = Annotated[Lookups, Depends(lookups_of)]
Limit = Annotated[
    int | None, Query(description="At most so many items; all that were prepared if left out.", ge=1, le=200)
]
Kind = Annotated[service.Kind, Query(description="What is recommended.")]
Explain = Annotated[bool, Query(description="Whether items carry contributions and paths; reasons they do.")]


@router.get(
    "/similar-users",
    summary="Who writes alike",
    response_model=schemas.SimilarUsers,
    responses={
        **responses.documented(schemas.similar_users_example(), "Similar users, best first."),
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
async def similar_users(
    *, request: Request, lookups: Ask, user_id: QueryUserId, limit: Limit = None
) -> Response:
    """Users whose messages mean much the same; no items for a user who never wrote one."""
    return await lookups.answer(request, "recommendations", service.similar_users, user_id, limit)


# The convertor lets ids contain slashes; `similar-users` above goes first.
@router.get(
    "/{user_id:path}",
    summary="Campaigns for a user, with reasons",
    response_model=schemas.CampaignRecommendations,
    responses={
        **responses.documented(schemas.recommendations_example(), "Campaigns, best first."),
        **errors.documented(
            *DENIALS_OF_USERS,
            "unknown_user",
            "invalid_parameter",
            "no_release",
            "not_ready",
            "store_unavailable",
            "encoder_unavailable",
            "internal_error",
        ),
    },
)
async def recommendations(
    *,
    request: Request,
    lookups: Ask,
    user_id: PathUserId,
    limit: Limit = None,
    message: TypedMessage = None,
) -> Response:
    """What similar users took part in, ranked by engagement, each with scores and the path behind it.

    Without `message` the answer was prepared with the release. With `message` it is found now, from
    the users who wrote the most similar messages.
    """
    if message is None:
        return await lookups.answer(request, "recommendations", service.prepared, user_id, limit)
    live: LivePath = request.app.state.live
    return await lookups.answer(request, "live path", service.live, live, user_id, message, limit)


@users.get(
    "/{user_id:path}/recommendations",
    summary="Products or campaigns for a user, with reasons",
    response_model=schemas.ProductRecommendations | schemas.CampaignRecommendations,
    responses={
        **responses.documented(schemas.products_example(), "Products or campaigns, best first."),
        **errors.documented(
            *DENIALS_OF_USERS,
            "unknown_user",
            "invalid_parameter",
            "no_release",
            "not_ready",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def of_user(
    *,
    request: Request,
    lookups: Ask,
    user_id: PathUserId,
    kind: Kind = "product",
    limit: Limit = None,
    explain: Explain = True,
) -> Response:
    """What was prepared with the release, each item with a sentence that says why.

    With `explain` each item also carries what its score is made of, in shares that add up to 1, and the
    path in the knowledge graph that led to it.
    """
    return await lookups.answer(
        request, "recommendations", service.of_user, user_id, kind, limit, explain=explain
    )
