"""`/recommendations/…`, `/api/v1/users/…` and batches of users: look-ups, and the live path."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from marketing_platform.access import Scope
from marketing_platform.releases.overrides import ItemKind
from serving import errors, responses
from serving.access.permission import DENIALS_OF_USERS, allowed
from serving.experiments.exposing import Exposures, exposures_of
from serving.limits import bodies
from serving.limits.bodies import strict_json
from serving.live import LivePath
from serving.lookups import OF_RELEASE, Lookups, lookups_of, release_asked
from serving.overrides import LiveOverrides, Standing, overrides_of
from serving.parameters import OnlyCategory, PathUserId, QueryUserId, TypedMessage
from serving.recommendations import schemas, service

_MAY = [Depends(allowed(Scope.READ_RECOMMENDATIONS)), OF_RELEASE]
router = APIRouter(prefix="/recommendations", tags=["recommendations"], dependencies=_MAY)
users = APIRouter(prefix="/api/v1/users", tags=["recommendations"], dependencies=_MAY)
batches = APIRouter(prefix="/api/v1/recommendations", tags=["recommendations"], dependencies=_MAY)

Question = Annotated[schemas.BatchQuestion, Depends(strict_json(schemas.BatchQuestion))]
Ask = Annotated[Lookups, Depends(lookups_of)]
Expose = Annotated[Exposures, Depends(exposures_of)]
Heed = Annotated[LiveOverrides, Depends(overrides_of)]
Limit = Annotated[
    int | None, Query(description="At most so many items; all that were prepared if left out.", ge=1, le=200)
]
Kind = Annotated[service.Kind, Query(description="What is recommended.")]
Explain = Annotated[bool, Query(description="Whether items carry contributions and paths; reasons they do.")]
Preview = Annotated[
    bool,
    Query(
        description="Whether somebody else looks at it: the user then is not counted as exposed to an arm."
    ),
]

_OF_LISTS = (
    *DENIALS_OF_USERS,
    "unknown_user",
    "unknown_release",
    "invalid_parameter",
    "no_release",
    "not_ready",
    "store_unavailable",
    "internal_error",
)
_OF_BATCHES = (
    *(code for code in _OF_LISTS if code != "unknown_user"),
    "malformed_json",
    "unsupported_media_type",
)
_OF_ANY = tuple(code for code in _OF_LISTS if code != "not_ready")


@router.get(
    "/similar-users",
    summary="Who writes alike",
    response_model=schemas.SimilarUsers,
    responses={
        **responses.documented(schemas.similar_users_example(), "Similar users, best first."),
        **errors.documented(*_OF_ANY),
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
        **errors.documented(*_OF_LISTS, "encoder_unavailable"),
    },
)
async def recommendations(
    *,
    request: Request,
    lookups: Ask,
    heed: Heed,
    user_id: PathUserId,
    limit: Limit = None,
    message: TypedMessage = None,
) -> Response:
    """What similar users took part in, ranked by engagement, each with scores and the path behind it.

    Without `message` the answer was prepared with the release. With `message` it is found now, from
    the users who wrote the most similar messages. What was suppressed since is left out, and `dropped`
    says so.
    """
    standing = _standing(request, heed, "campaign")
    if message is None:
        return await lookups.answer(request, "recommendations", service.prepared, user_id, limit, standing)
    live: LivePath = request.app.state.live
    return await lookups.answer(request, "live path", service.live, live, user_id, message, limit, standing)


@users.get(
    "/{user_id:path}/recommendations",
    summary="Products or campaigns for a user, with reasons",
    response_model=schemas.ProductRecommendations | schemas.RankedCampaigns,
    responses={
        **responses.documented(schemas.products_example(), "Products or campaigns, best first."),
        **errors.documented(*_OF_LISTS),
    },
)
async def of_user(
    *,
    request: Request,
    lookups: Ask,
    heed: Heed,
    exposures: Expose,
    user_id: PathUserId,
    kind: Kind = "product",
    limit: Limit = None,
    category: OnlyCategory = None,
    explain: Explain = True,
    preview: Preview = False,
) -> Response:
    """What was prepared with the release, each item with a sentence that says why.

    With `explain` each item also carries what its score is made of, in shares that add up to 1, and the
    path in the knowledge graph that led to it. What was suppressed, sold out or ended since is left
    out, what stands behind moves up, and `dropped` names the rule. A user who is in an experiment about the
    list gets the list of their arm, and `experiment` names both; asked of a `release`, the list is as it was
    made, and nobody is in an experiment.
    """
    wanted = service.Wanted(kind, limit, category, explain, preview)
    standing = _standing(request, heed, wanted.items)
    return await lookups.answer(
        request, "recommendations", service.of_user, user_id, wanted, standing, exposures
    )


@users.get(
    "/{user_id:path}/similar",
    summary="Users similar to a user",
    response_model=schemas.SimilarUsers,
    responses={
        **responses.documented(schemas.similar_users_example(), "Similar users, best first."),
        **errors.documented(*_OF_ANY),
    },
)
async def similar_to_user(
    *, request: Request, lookups: Ask, user_id: PathUserId, limit: Limit = None
) -> Response:
    """Users whose messages mean much the same; no items for a user who never wrote one."""
    return await lookups.answer(request, "recommendations", service.similar_users, user_id, limit)


@batches.post(
    "/batch",
    summary="Products or campaigns for several users",
    response_model=schemas.Batch,
    openapi_extra=bodies.documented(schemas.BatchQuestion),
    responses={
        **responses.documented_passing(schemas.batch_example(), "An answer or an error for each user."),
        **errors.documented(*_OF_BATCHES),
    },
)
async def of_users(
    *, request: Request, lookups: Ask, heed: Heed, exposures: Expose, question: Question
) -> Response:
    """The same as for one user, for up to 100 users at once and from one release."""
    wanted = service.Wanted(question.kind, question.limit, question.category, question.explain)
    standing = _standing(request, heed, wanted.items)
    return await lookups.answer(
        request, "recommendations", service.of_users, question.user_ids, wanted, standing, exposures
    )


def _standing(request: Request, heed: LiveOverrides, kind: ItemKind) -> Standing | None:
    """What holds now; None for an answer of the past, which is as the release made it."""
    return None if release_asked(request) else heed.standing(kind)
