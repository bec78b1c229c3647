"""What every successful answer has in common: its head (release and gate), ETag and caching."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from marketing_platform import __version__
from marketing_platform.releases.manifest import Manifest


class Part(BaseModel):
    """Base of whatever stands in an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(Part):
    """The head of every answer: which release gave it, and whether that passed its gates."""

    release_id: str = Field(
        description="The release this answer comes from, all of it.", examples=["r-20261121-063012-4f2a"]
    )
    gate: Literal["passed"] = Field(
        description="Every blocking check of the release passed; others are never served."
    )
    held_batches: int = Field(
        description="Landed batches that failed their gate and are left out.", examples=[0]
    )


class Edited(bytes):
    """An answer that the release alone does not determine: something kept a part of it back, or chose it."""

    edition: str | None = None  # tells it from others of its address and release; else its bytes do


class Raw(NamedTuple):
    """An answer as ASGI sends it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def answer(request: Request, manifest: Manifest, body: bytes) -> Response:
    """A ready JSON object `body` with the release's head spliced in before its first field."""
    if request.method != "GET":  # the address alone does not say what was asked
        return passing(manifest, body)
    ready = raw(request.headers.get("If-None-Match", ""), manifest, body)
    response = Response(ready.body, ready.status)
    response.raw_headers = ready.headers
    return response


def raw(if_none_match: str, manifest: Manifest, body: bytes) -> Raw:
    """The same for whoever sends it without the framework."""
    # An ETag is per URL, and a release never changes: its id and the version of the code are enough.
    edition = f"/{_edition(body)}" if isinstance(body, Edited) else ""
    etag = f'"{manifest.release_id}/{__version__}{edition}"'
    headers = [
        (b"x-release-id", manifest.release_id.encode()),
        (b"etag", etag.encode()),
        (b"cache-control", b"private, no-cache"),
    ]
    if etag in if_none_match:
        return Raw(304, headers, b"")
    whole = with_head(manifest, body)
    headers += [(b"content-length", b"%d" % len(whole)), (b"content-type", b"application/json")]
    return Raw(200, headers, whole)


def _edition(body: Edited) -> str:
    return body.edition or blake2b(body, digest_size=8).hexdigest()


def passing(manifest: Manifest, body: bytes) -> Response:
    """The same for an answer that changes from moment to moment."""
    headers = {"X-Release-Id": manifest.release_id, "Cache-Control": "no-store"}
    return Response(with_head(manifest, body), 200, headers, "application/json")


def with_head(manifest: Manifest, body: bytes) -> bytes:
    """A ready JSON object with the release's head before its first field."""
    return _head(manifest) + body[1:]


def bare(document: dict[str, Any]) -> Response:
    """An answer that no release gave."""
    return Response(to_json(document), 200, {"Cache-Control": "no-store"}, "application/json")


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


def documented_bare(example: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI `responses` of a `bare` answer."""
    return {200: {"description": description, "content": {"application/json": {"example": example}}}}


def head_example() -> dict[str, Any]:
    """The head as OpenAPI examples show it."""
    return {"release_id": "r-20261121-063012-4f2a", "gate": "passed", "held_batches": 0}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _head(manifest: Manifest) -> bytes:
    return _written(manifest.release_id, len(manifest.held))


@lru_cache(maxsize=64)  # releases that are asked at the same time
def _written(release_id: str, held_batches: int) -> bytes:
    head = {"release_id": release_id, "gate": "passed", "held_batches": held_batches}
    return orjson.dumps(head)[:-1] + b","


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no place in an answer")
