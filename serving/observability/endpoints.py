"""`/metrics`: what Prometheus asks for."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from marketing_platform.access import Scope
from serving import errors
from serving.access.permission import DENIALS, allowed
from serving.observability import exposition
from serving.observability.sampling import Sampling

router = APIRouter(tags=["health"], dependencies=[Depends(allowed(Scope.READ_ANALYTICS))])

_EXAMPLE = """\
# HELP marketing_api_release_age_seconds Since the release that is served was made.
# TYPE marketing_api_release_age_seconds gauge
marketing_api_release_age_seconds 41.5
"""


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "The text format of Prometheus, or OpenMetrics for those who accept it.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        **errors.documented(*DENIALS, "internal_error"),
    },
)
async def metrics(request: Request) -> Response:
    """Requests, releases, datastores, limits and security, of all workers together."""
    sampling: Sampling = request.app.state.sampling
    sampling.sample()
    text, content_type = await run_in_threadpool(exposition.render, request.headers.get("Accept", ""))
    return Response(text, media_type=content_type, headers={"Cache-Control": "no-store"})
