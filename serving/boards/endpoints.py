"""`/api/v1/users/…/vision-board`: a picture, or what it is drawn from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import StringConstraints

from marketing_platform.access import Scope
from marketing_platform.content.board.looks import CSP, MEDIA, Format
from serving import errors, responses
from serving.access.permission import DENIALS_OF_USERS, allowed
from serving.boards import schemas
from serving.boards.service import Boards
from serving.lookups import OF_RELEASE, release_asked
from serving.parameters import PathUserId

router = APIRouter(
    prefix="/api/v1/users",
    tags=["boards"],
    dependencies=[Depends(allowed(Scope.READ_RECOMMENDATIONS)), OF_RELEASE],
)

_Name = Annotated[str, StringConstraints(min_length=1, max_length=50)]
_CODES = (
    *DENIALS_OF_USERS,
    "unknown_user",
    "unknown_release",
    "invalid_parameter",
    "no_release",
    "not_ready",
    "store_unavailable",
    "internal_error",
)


def _documented() -> dict[int | str, dict[str, Any]]:
    found = responses.documented(schemas.example(), "The board, in the format that was asked for.")
    pictures = {"image/png": "…", "image/svg+xml": "<svg …>", "text/html": "<!doctype html>…"}
    for media, shown in pictures.items():
        form = {"format": "binary"} if media == "image/png" else {}
        found[200]["content"][media] = {"schema": {"type": "string", **form}, "example": shown}
    return {**found, **errors.documented(*_CODES)}


async def boards_of(request: Request) -> Boards:
    """A dependency: what draws boards."""
    return request.app.state.boards


@router.get(
    "/{user_id:path}/vision-board",
    summary="A vision board of a user",
    response_model=schemas.VisionBoard,
    responses=_documented(),
)
async def of_user(
    *,
    request: Request,
    boards: Annotated[Boards, Depends(boards_of)],
    user_id: PathUserId,
    form: Annotated[
        Format,
        Query(
            alias="format", description="`json` says where everything stands; the others are drawn from it."
        ),
    ] = "json",
    theme: Annotated[
        _Name | None, Query(description="A declared theme; the first if left out.", examples=["light"])
    ] = None,
    aspect: Annotated[
        _Name | None, Query(description="A declared aspect; the first if left out.", examples=["16:9"])
    ] = None,
) -> Response:
    """What is recommended to a user, what they care about, and ideas for it.

    Products that were suppressed since the release was made are not on it, as in recommendations. `page` is a
    page for browsers, with the board in every theme and aspect.
    """
    pinned = release_asked(request)
    look = boards.look(form, theme, aspect)
    has = request.headers.get("If-None-Match", "")
    drawing = await boards.drawn(user_id, look, pinned=pinned, has=has)
    headers = {
        "X-Release-Id": drawing.manifest.release_id,
        "ETag": drawing.etag,
        "Cache-Control": "private, no-cache",
    }
    if drawing.body is None:
        return Response(status_code=304, headers=headers)
    if form == "json":
        return Response(responses.with_head(drawing.manifest, drawing.body), 200, headers, MEDIA[form])
    headers["X-Content-Type-Options"] = "nosniff"
    if form in CSP:
        headers["Content-Security-Policy"] = CSP[form]
    return Response(drawing.body, 200, headers, MEDIA[form])
