"""`POST /api/v1/files`: a file of a declared source, as somebody would put it into the landing zone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import StringConstraints

from marketing_platform.access import Scope
from serving import errors
from serving.access.permission import DENIALS, allowed
from serving.errors import ApiError
from serving.files import schemas
from serving.files.service import FileService
from serving.parameters import Text
from serving.principals import who_asks

router = APIRouter(prefix="/api/v1/files", tags=["writes"], dependencies=[Depends(allowed(Scope.WRITE_DATA))])

_BYTES = "application/octet-stream"
Name = Annotated[Text, StringConstraints(min_length=1, max_length=255)]


async def _service(request: Request) -> FileService:
    return request.app.state.files


@router.post(
    "",
    status_code=202,
    summary="Land a file of a declared source",
    response_model=schemas.LandedFile,
    openapi_extra=schemas.BODY,
    responses={
        202: {
            "model": schemas.LandedFile,
            "description": "Durable; a later release will show it.",
            "content": {"application/json": {"example": schemas.example()}},
        },
        **errors.documented(
            *DENIALS,
            "malformed_stream",
            "unsupported_media_type",
            "invalid_parameter",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def land(
    *,
    request: Request,
    files: Annotated[FileService, Depends(_service)],
    source: Annotated[Name, Query(description="The declared source that reads it.", examples=["ads_spend"])],
    name: Annotated[Name, Query(description="The file's name.", examples=["ads_spend_2026-06.csv"])],
) -> Response:
    """The body is the file itself. It is judged like any other: too many bad rows, and it is held.

    It lands under a name that the source reads, its own if possible. Under the same name it replaces what
    landed before; with the same bytes it changes nothing.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != _BYTES:
        raise ApiError("unsupported_media_type", accepted=_BYTES)
    answer = await files.land(source, name, request.stream(), who=who_asks(request))
    return Response(answer, 202, {"Cache-Control": "no-store"}, "application/json")
