"""`/api/v1/health`: for load balancers and for people who wonder how fresh the answers are."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from serving import errors, responses
from serving.errors import ApiError
from serving.health import schemas, service
from serving.releases import ReleaseHolder

router = APIRouter(prefix="/api/v1", tags=["health"])


@router.get(
    "/health",
    summary="Is it up, and how fresh is it",
    response_model=schemas.HealthAnswer,
    responses={
        **responses.documented_passing(schemas.example(), "A release is being served."),
        **errors.documented("no_release", "internal_error"),
    },
)
async def health(request: Request) -> Response:
    """200 while a release is being served, also an older one; 503 when there is none, with the reason."""
    holder: ReleaseHolder = request.app.state.holder
    release = holder.current
    if release is None:
        raise ApiError("no_release", reason=holder.problem)
    state = request.app.state
    return responses.passing(
        release.manifest,
        service.health(holder, state.access, state.live, state.lookups, release.manifest),
    )
