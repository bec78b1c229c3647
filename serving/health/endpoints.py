"""`/health…` and `/api/v1/health…`: for load balancers, and for people who wonder how fresh the answers are.

Open to everybody; why something is wrong may name hosts, and is for those who may read metrics.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.errors import ApiError
from serving.health import schemas, service
from serving.live import LivePath
from serving.releases import ReleaseHolder

router = APIRouter(prefix="/api/v1", tags=["health"])
probes = APIRouter()  # the same at the root, where load balancers look


@probes.get("/health")
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
    """200 while a release is being served, also an older one; 503 when there is none.

    Why it is degraded, or has no release, is told in full to callers with the scope `read:analytics`.
    """
    state = request.app.state
    holder: ReleaseHolder = state.holder
    release, told = holder.current, _told_why(request)
    if release is None:
        raise ApiError("no_release", **({"reason": holder.problem} if told else {}))
    document = service.health(
        service.Parts(holder, state.access, state.live, state.lookups, state.overrides),
        state.rates,
        release.manifest,
        why=told,
    )
    return responses.passing(release.manifest, document)


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
        **responses.documented_passing(schemas.ready_example(), "Everything is open, or known not to open."),
        **errors.documented("no_release", "not_ready", "internal_error"),
    },
)
async def ready(request: Request) -> Response:
    """200 once a release is served and the live path was tried; 503 before. Asks no datastore.

    A datastore that fails, or a live path that cannot be opened, does not make it unready: every process
    would be taken away at once, and with them all that can still be answered.
    """
    holder: ReleaseHolder = request.app.state.holder
    live: LivePath = request.app.state.live
    if holder.current is None:
        raise ApiError("no_release")
    if live.state == "starting":
        raise ApiError("not_ready", part="encoder")
    return responses.passing(holder.current.manifest, responses.to_json({"status": "ready"}))


def _told_why(request: Request) -> bool:
    principal = request.scope["state"].get("principal")
    return principal is not None and Scope.READ_ANALYTICS in principal.scopes
