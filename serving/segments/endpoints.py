"""`/api/v1/segments`: declared segments, their users, and criteria to be tried."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.access.permission import DENIALS, allowed
from serving.limits import bodies
from serving.limits.bodies import strict_json
from serving.lookups import OF_RELEASE, Lookups, lookups_of
from serving.parameters import Id
from serving.segments import schemas, service

_MAY = [Depends(allowed(Scope.READ_ANALYTICS)), OF_RELEASE]
router = APIRouter(prefix="/api/v1/segments", tags=["segments"], dependencies=_MAY)

Ask = Annotated[Lookups, Depends(lookups_of)]
Name = Annotated[Id, Path(description="Name of the segment.", examples=["lapsed_customers"])]
Limit = Annotated[int, Query(description="Users of a page.", ge=1, le=1_000)]
Offset = Annotated[int, Query(description="Users to skip; take it from next_offset.", ge=0, le=1_000_000_000)]
Tried = Annotated[schemas.PreviewQuestion, Depends(strict_json(schemas.PreviewQuestion))]
_FAILURES = (
    *DENIALS,
    "invalid_parameter",
    "unknown_release",
    "no_release",
    "not_ready",
    "store_unavailable",
    "internal_error",
)


@router.get(
    "",
    summary="Which segments there are",
    response_model=schemas.SegmentsAnswer,
    responses={
        **responses.documented(schemas.segments_example(), "Every segment, with how many users it has."),
        **errors.documented(*_FAILURES),
    },
)
async def segments(*, request: Request, lookups: Ask) -> Response:
    """As they were declared when the release was made."""
    return await lookups.answer_once(request, "analytics", service.segments)


@router.post(
    "/preview",
    summary="Try criteria",
    response_model=schemas.PreviewAnswer,
    openapi_extra=bodies.documented(schemas.PreviewQuestion),
    responses={
        **responses.documented_passing(schemas.preview_example(), "How many users, and some of them."),
        **errors.documented(*_FAILURES, "malformed_json", "unsupported_media_type"),
    },
)
async def preview(*, request: Request, lookups: Ask, tried: Tried) -> Response:
    """Who would belong to a segment with these criteria in this release; nothing is kept of it."""
    features_dir = request.app.state.settings.features_dir
    return await lookups.answer(
        request, "analytics", service.preview, tried.who, tried.sample, features_dir=features_dir
    )


@router.get(
    "/{segment}/users",
    summary="Who belongs to a segment",
    response_model=schemas.MembersAnswer,
    responses={
        **responses.documented(schemas.members_example(), "A page of users."),
        **errors.documented(*_FAILURES, "unknown_segment"),
    },
)
async def members(
    *, request: Request, lookups: Ask, segment: Name, limit: Limit = 100, offset: Offset = 0
) -> Response:
    """The users for whom its criteria held when the release was made; erased ones are left out."""
    return await lookups.answer(request, "analytics", service.members, segment, limit, offset)
