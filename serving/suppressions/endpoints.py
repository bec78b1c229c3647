"""`/api/v1/suppressions`: what people take out of recommendations, effective when the answer is back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from marketing_platform.access import Scope
from marketing_platform.errors import UnknownSuppression
from marketing_platform.releases.overrides import Wish
from serving import errors
from serving.access.permission import DENIALS, allowed
from serving.errors import ApiError
from serving.limits import bodies
from serving.limits.bodies import strict_json
from serving.observability import security
from serving.overrides import LiveOverrides, overrides_of
from serving.parameters import Id
from serving.principals import who_asks
from serving.suppressions import schemas

router = APIRouter(
    prefix="/api/v1/suppressions", tags=["suppressions"], dependencies=[Depends(allowed(Scope.ADMIN))]
)

Question = Annotated[schemas.SuppressionQuestion, Depends(strict_json(schemas.SuppressionQuestion))]
Overrides = Annotated[LiveOverrides, Depends(overrides_of)]
SuppressionId = Annotated[Id, Path(description="Which suppression.", examples=["s-3f9ac21b0d114e7a"])]


def _success(status: int, description: str, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"example": example}}
    return {status: {"description": description, "content": content}}


@router.post(
    "",
    status_code=201,
    summary="Take an item or a user out",
    response_model=schemas.SuppressionAnswer,
    openapi_extra=bodies.documented(schemas.SuppressionQuestion),
    responses={
        **_success(201, "It is out.", schemas.example()),
        200: {
            **_success(200, "", schemas.example())[200],
            "model": schemas.SuppressionAnswer,
            "description": "It was out before, in the same words.",
        },
        **errors.documented(
            *DENIALS,
            "malformed_json",
            "unsupported_media_type",
            "invalid_parameter",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def suppress(*, request: Request, overrides: Overrides, question: Question) -> Response:
    """No answer shows it from now on: this process at once, others within a second, and the next release.

    Past answers (`release=`) stay as they were made.
    """
    made, new = await overrides.suppress(Wish(**question.root.model_dump()), who=who_asks(request))
    security.done(request, "suppression", question.root.reason)
    return _json(schemas.shown(made), 201 if new else 200)


@router.delete(
    "/{suppression_id}",
    summary="Let an item or a user in again",
    response_model=schemas.SuppressionAnswer,
    responses={
        **_success(
            200, "It is in again, as far as no other suppression keeps it out.", schemas.example(lifted=True)
        ),
        **errors.documented(
            *DENIALS, "unknown_suppression", "invalid_parameter", "store_unavailable", "internal_error"
        ),
    },
)
async def lift(*, request: Request, overrides: Overrides, suppression_id: SuppressionId) -> Response:
    """Lists made meanwhile lack it until the next release. Lifting twice changes nothing."""
    try:
        lifted = await overrides.lift(suppression_id, who=who_asks(request))
    except UnknownSuppression:
        raise ApiError("unknown_suppression", parameter="suppression_id") from None
    security.done(request, "suppression", "lifted")
    return _json(schemas.shown(lifted))


@router.get(
    "",
    summary="What is out",
    response_model=schemas.SuppressionsAnswer,
    responses={
        **_success(200, "Suppressions that hold, oldest first.", schemas.page_example()),
        **errors.documented(
            *DENIALS,
            "malformed_json",
            "unsupported_media_type",
            "invalid_parameter",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def suppressions(
    *,
    overrides: Overrides,
    limit: Annotated[int, Query(description="At most so many.", ge=1, le=500)] = 100,
    offset: Annotated[int, Query(description="How many to leave out first.", ge=0, le=1_000_000)] = 0,
) -> Response:
    """Suppressions that were neither lifted nor are over."""
    found = overrides.holding()
    page = tuple(schemas.shown(one) for one in found[offset : offset + limit])
    more = offset + limit if offset + limit < len(found) else None
    return _json(schemas.SuppressionsAnswer(items=page, next_offset=more))


def _json(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(), status, {"Cache-Control": "no-store"}, "application/json")
