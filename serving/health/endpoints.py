"""`/api/v1/health`: for load balancers and for people who wonder how fresh the answers are."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from serving import errors, responses
from serving.errors import ApiError
from serving.health import schemas, service
from serving.releases import ReleaseHolder

router = APIRouter(prefix="/api/v1", tags=["health"])
probes = APIRouter()  # the same at the root, where load balancers look


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
        service.health(
            holder, state.access, state.live, state.lookups, state.rates, state.overrides, release.manifest
        ),
    )


@probes.get("/health/live")
@router.get(
    "/health/live",
    summary="Is the process alive",
    response_model=schemas.AliveAnswer,
    responses={
        **responses.documented_bare({"status": "alive"}, "It is."),
        **errors.documented("internal_error"),
    },
)
async def alive() -> Response:
    """200 as long as requests are answered at all; asks no datastore. Otherwise: start it anew."""
    return responses.bare({"status": "alive"})


@probes.get("/health/ready")
@router.get(
    "/health/ready",
    summary="Should requests be sent here",
    response_model=schemas.ReadyAnswer,
    responses={
        **responses.documented_passing(schemas.ready_example(), "A release is being served."),
        **errors.documented("no_release", "internal_error"),
    },
)
async def ready(request: Request) -> Response:
    """200 while a release is being served; 503 when there is none yet. Asks no datastore."""
    holder: ReleaseHolder = request.app.state.holder
    if holder.current is None:
        raise ApiError("no_release")
    return responses.passing(holder.current.manifest, responses.to_json({"status": "ready"}))
