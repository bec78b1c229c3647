"""`GET /api/v1/releases|releases/current|batches|batches/{batch_id}`: who landed what, and what serves."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from marketing_platform.access import Scope
from marketing_platform.releases.ledger import State
from serving import errors
from serving.access.permission import DENIALS, allowed
from serving.audit import schemas
from serving.audit.service import AuditService
from serving.parameters import Id

_MAY = [Depends(allowed(Scope.READ_AUDIT, Scope.ADMIN))]
router = APIRouter(prefix="/api/v1", tags=["audit"], dependencies=_MAY)


async def _service(request: Request) -> AuditService:
    return request.app.state.audit


Audit = Annotated[AuditService, Depends(_service)]
Limit = Annotated[int, Query(description="At most so many of a page.", ge=1, le=200)]
Cursor = Annotated[Id | None, Query(description="`next_cursor` of the page before.")]
Place = Annotated[
    str | None, Query(description="`next_cursor` of the page before.", pattern=r"^[0-9]{1,18}$")
]
OnlyState = Annotated[schemas.State | None, Query(description="Only batches in this state.")]
OnlySource = Annotated[
    Id | None, Query(description="Only batches of this source.", examples=["api_user_data"])
]
BatchId = Annotated[
    Id,
    Path(description="Its name, or the 12 digits after the @.", max_length=300, examples=["3f9ac21b0d11"]),
]


def _documented(example: dict[str, Any], description: str, *codes: str) -> dict[int | str, dict[str, Any]]:
    etag = {"description": "Send it back as If-None-Match to get 304.", "schema": {"type": "string"}}
    return {
        200: {
            "description": description,
            "content": {"application/json": {"example": example}},
            "headers": {"ETag": etag},
        },
        304: {"description": "Nothing changed since the ETag in If-None-Match."},
        **errors.documented(*DENIALS, *codes, "invalid_parameter", "store_unavailable", "internal_error"),
    }


@router.get(
    "/releases",
    summary="The releases that are kept",
    response_model=schemas.Releases,
    responses=_documented(schemas.releases_example(), "A page, newest first.", "unknown_release"),
)
async def releases(*, request: Request, audit: Audit, limit: Limit = 20, cursor: Cursor = None) -> Response:
    """Newest first; collected ones are gone."""
    return _answer(request, await audit.ask(audit.releases, limit, cursor))


@router.get(
    "/releases/current",
    summary="The release that serves",
    response_model=schemas.ReleaseLine,
    responses=_documented(schemas.release_example(), "Where the pointer stands.", "no_release"),
)
async def current_release(*, request: Request, audit: Audit) -> Response:
    """Where the pointer stands; `/api/v1/health` says whether this process serves it already."""
    return _answer(request, await audit.ask(audit.current))


@router.get(
    "/batches",
    summary="What landed",
    response_model=schemas.Batches,
    responses=_documented(schemas.batches_example(), "A page, newest landing first."),
)
async def batches(
    *,
    request: Request,
    audit: Audit,
    limit: Limit = 50,
    cursor: Place = None,
    state: OnlyState = None,
    source: OnlySource = None,
) -> Response:
    """Every version of every object that was taken; what lands later is on an earlier page."""
    return _answer(
        request, await audit.ask(audit.batches, limit, cursor, State(state) if state else None, source)
    )


# The convertor: ids of batches contain the path of the object.
@router.get(
    "/batches/{batch_id:path}",
    summary="One batch: rows, reasons, who wrote it, what happened to it",
    response_model=schemas.BatchAnswer,
    responses=_documented(schemas.batch_example(), "Everything that is known of it.", "unknown_batch"),
)
async def batch(*, request: Request, audit: Audit, batch_id: BatchId) -> Response:
    """Counts, reasons, tables, the releases with it, and its audit trail."""
    return _answer(request, await audit.ask(audit.batch, batch_id))


def _answer(request: Request, body: bytes) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, "application/json")
