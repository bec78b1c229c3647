"""What every successful answer has in common: its head (release and gate), ETag and caching."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from marketing_platform import __version__
from marketing_platform.releases.manifest import Manifest


class Answer(BaseModel):
    """The head of every answer: which release gave it, and whether that passed its gates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    release_id: str = Field(
        description="The release this answer comes from, all of it.", examples=["r-20261121-063012-4f2a"]
    )
    gate: Literal["passed"] = Field(
        description="Every blocking check of the release passed; others are never served."
    )
    held_batches: int = Field(
        description="Landed batches that failed their gate and are left out.", examples=[0]
    )


def answer(request: Request, manifest: Manifest, body: bytes) -> Response:
    """A ready JSON object `body` with the release's head spliced in before its first field."""
    if request.method != "GET":  # the address alone does not say what was asked
        return passing(manifest, body)
    # An ETag is per URL, and a release never changes: its id and the version of the code are enough.
    etag = f'"{manifest.release_id}/{__version__}"'
    headers = {"X-Release-Id": manifest.release_id, "ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(_head(manifest) + body[1:], 200, headers, "application/json")


def passing(manifest: Manifest, body: bytes) -> Response:
    """The same for an answer that changes from moment to moment."""
    headers = {"X-Release-Id": manifest.release_id, "Cache-Control": "no-store"}
    return Response(_head(manifest) + body[1:], 200, headers, "application/json")


def to_json(document: dict[str, Any]) -> bytes:
    """Rows of any store as JSON; a figure that is not finite becomes null."""
    return orjson.dumps(document, default=_exact, option=orjson.OPT_UTC_Z)


def documented(example: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI `responses` of an `answer`, with the headers it carries."""
    etag = _header("Send it back as If-None-Match to get 304 while nothing changed.")
    success = documented_passing(example, description)
    success[200]["headers"]["ETag"] = etag
    return {**success, 304: {"description": "Nothing changed since the ETag in If-None-Match."}}


def documented_passing(example: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI `responses` of a `passing` answer."""
    return {
        200: {
            "description": description,
            "content": {"application/json": {"example": example}},
            "headers": {"X-Release-Id": _header("The release that answered.")},
        }
    }


def head_example() -> dict[str, Any]:
    """The head as OpenAPI examples show it."""
    return {"release_id": "r-20261121-063012-4f2a", "gate": "passed", "held_batches": 0}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _head(manifest: Manifest) -> bytes:
    head = {"release_id": manifest.release_id, "gate": "passed", "held_batches": len(manifest.held)}
    return orjson.dumps(head)[:-1] + b","


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no place in an answer")
