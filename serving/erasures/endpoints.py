"""`DELETE /api/v1/users/…` and `/api/v1/erasures/…`: forgetting a user, and the proof of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from marketing_platform.access import Scope
from marketing_platform.errors import UnknownErasure
from marketing_platform.settings import Settings
from serving import errors
from serving.access.permission import DENIALS, allowed
from serving.erasures import schemas
from serving.errors import ApiError
from serving.observability import security
from serving.overrides import LiveOverrides, overrides_of
from serving.parameters import Id, PathUserId
from serving.principals import who_asks

router = APIRouter(prefix="/api/v1", tags=["erasure"], dependencies=[Depends(allowed(Scope.ADMIN))])

Overrides = Annotated[LiveOverrides, Depends(overrides_of)]
ErasureId = Annotated[Id, Path(description="Which erasure.", examples=["e-3f9ac21b0d114e7a"])]


@router.delete(
    "/users/{user_id:path}",
    status_code=202,
    summary="Forget a user",
    response_model=schemas.ErasureAnswer,
    responses={
        202: {
            "description": "No answer shows the user any more; the rest follows.",
            "content": {"application/json": {"example": schemas.example()}},
        },
        **errors.documented(*DENIALS, "invalid_parameter", "store_unavailable", "internal_error"),
    },
)
async def erase(*, request: Request, overrides: Overrides, user_id: PathUserId) -> Response:
    """Masks the user at once in every release, past ones too, whether or not any release knows the user.

    The next release is made without what was landed before; `erased_from` of the proof fills meanwhile.
    """
    asked = await overrides.erase(user_id, who=who_asks(request))
    security.done(request, "erasure", "asked")
    return _json(schemas.shown(asked, (), days=_days(request)), 202)


@router.get(
    "/erasures/{erasure_id}",
    summary="The proof of an erasure",
    response_model=schemas.ErasureAnswer,
    responses={
        200: {
            "description": "How far it is, and where the user was.",
            "content": {"application/json": {"example": schemas.example(rows_gone=True)}},
        },
        **errors.documented(
            *DENIALS, "unknown_erasure", "invalid_parameter", "store_unavailable", "internal_error"
        ),
    },
)
async def proof(*, request: Request, overrides: Overrides, erasure_id: ErasureId) -> Response:
    """Where something of the user was, how much, and when it went; the user is not named."""
    try:
        found, places = await run_in_threadpool(overrides.erasures.get, erasure_id)
    except UnknownErasure:
        raise ApiError("unknown_erasure", parameter="erasure_id") from None
    return _json(schemas.shown(found, places, days=_days(request)))


def _days(request: Request) -> int:
    settings: Settings = request.app.state.settings
    return settings.erasure_days


def _json(answer: schemas.ErasureAnswer, status: int = 200) -> Response:
    return Response(answer.model_dump_json(), status, {"Cache-Control": "no-store"}, "application/json")
