"""`POST /api/v1/users/{user_id}/data|feedback`, `POST /api/v1/data/bulk`, `GET /api/v1/receipts/{…}`."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Path, Request, Response

from marketing_platform.access import Scope
from marketing_platform.ingestion.written import (
    Feedback,
    Identifier,
    UserData,
    feedback_records,
    user_data_records,
)
from serving import errors
from serving.access.permission import DENIALS, allowed
from serving.errors import ApiError
from serving.limits import bodies
from serving.limits.bodies import strict_json
from serving.parameters import Id
from serving.principals import is_admin, who_asks
from serving.writes import schemas
from serving.writes.service import Asked, WriteService

router = APIRouter(prefix="/api/v1", tags=["writes"])

_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")


async def _service(request: Request) -> WriteService:
    return request.app.state.writes


Writes = Annotated[WriteService, Depends(_service)]
Data = Annotated[UserData, Depends(strict_json(UserData))]
Told = Annotated[Feedback, Depends(strict_json(Feedback))]
_MAY_WRITE = [Depends(allowed(Scope.WRITE_DATA))]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A name of your own for this write: sent again, it gets the same answer, written once.",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        examples=["order-4711-attempt"],
    ),
]
ReceiptId = Annotated[Id, Path(description="From the answer to a write.", min_length=1, max_length=1024)]
UserId = Annotated[
    Identifier,
    Path(description="Identifier of the user; one nobody knows yet is known from then on.", examples=["u-1"]),
]
_JSON = ("malformed_json", "unsupported_media_type")
_COMMON = (
    *DENIALS,
    "idempotency_in_flight",
    "idempotency_key_reused",
    "invalid_parameter",
    "store_unavailable",
    "internal_error",
)


def _responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    return {
        202: {
            "model": schemas.Accepted,
            "description": "Durable; a later release will show it.",
            "content": {"application/json": {"example": schemas.accepted_example()}},
            "headers": {"Location": {"description": "The receipt.", "schema": {"type": "string"}}},
        },
        **errors.documented(*codes, *_COMMON),
    }


# The convertor lets ids contain slashes, as everywhere.
@router.post(
    "/users/{user_id:path}/data",
    status_code=202,
    summary="Write a user's data",
    response_model=schemas.Accepted,
    dependencies=_MAY_WRITE,
    openapi_extra=bodies.documented(UserData),
    responses=_responses(*_JSON),
)
async def user_data(
    request: Request,
    writes: Writes,
    user_id: UserId,
    data: Data,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Profile, purchases, interests and products. It lands; the next release shows it.

    A product nobody described is known by its id from then on. A currency must be of ISO 4217. Facts
    (purchases) count as often as they are written, so use an Idempotency-Key; of a profile, an interest and
    a product the latest values win.
    """
    answer = await writes.write(
        _asked(request, idempotency_key),
        "user-data",
        user_id,
        await request.body(),
        lambda received_at: user_data_records(user_id, data, received_at),
    )
    return _accepted(answer)


@router.post(
    "/users/{user_id:path}/feedback",
    status_code=202,
    summary="Tell what a user did with what was shown",
    response_model=schemas.Accepted,
    dependencies=_MAY_WRITE,
    openapi_extra=bodies.documented(Feedback),
    responses=_responses(*_JSON),
)
async def feedback(
    request: Request,
    writes: Writes,
    user_id: UserId,
    told: Told,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Impressions, clicks, conversions and dismissals: they feed rules and figures of later releases.

    A dismissed item is not recommended to the user again, unless a later click or conversion takes that
    back.
    """
    answer = await writes.write(
        _asked(request, idempotency_key),
        "feedback",
        user_id,
        await request.body(),
        lambda received_at: feedback_records(user_id, told, received_at),
    )
    return _accepted(answer)


@router.post(
    "/data/bulk",
    status_code=202,
    summary="Write data of many users as a stream of lines",
    response_model=schemas.Accepted,
    dependencies=_MAY_WRITE,
    responses=_responses("malformed_stream", "unsupported_media_type"),
    openapi_extra=schemas.BULK_BODY,
)
async def bulk(request: Request, writes: Writes, idempotency_key: IdempotencyKey = None) -> Response:
    """NDJSON, gzipped (`Content-Encoding: gzip`) or not; all of it lands as one object, or nothing does.

    A line that is no document of a user goes to quarantine with its reason, like a bad line of any file;
    when more than 5 % do, the whole upload is held until a person has looked at it.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if media_type not in _NDJSON:
        raise ApiError("unsupported_media_type", accepted=_NDJSON[0])
    if encoding not in ("identity", "gzip"):
        raise ApiError("unsupported_media_type", accepted="Content-Encoding: gzip, or none")
    answer = await writes.upload(
        _asked(request, idempotency_key), request.stream(), gzipped=encoding == "gzip"
    )
    return _accepted(answer)


@router.get(
    "/receipts/{receipt_id}",
    dependencies=[Depends(allowed(Scope.WRITE_DATA, Scope.ADMIN))],
    summary="What became of a write",
    response_model=schemas.ReceiptAnswer,
    responses={
        200: {
            "description": "Where the write is by now.",
            "content": {"application/json": {"example": schemas.receipt_example()}},
        },
        **errors.documented(
            *DENIALS, "unknown_receipt", "invalid_parameter", "store_unavailable", "internal_error"
        ),
    },
)
async def receipt(request: Request, writes: Writes, receipt_id: ReceiptId) -> Response:
    """Landed, judged, released: with the rows that were refused. Only whoever wrote it may ask."""
    found = await writes.receipt(receipt_id, principal=who_asks(request), admin=is_admin(request))
    return Response(found, 200, {"Cache-Control": "no-store"}, "application/json")


def _asked(request: Request, key: str | None) -> Asked:
    return Asked(who_asks(request), f"{request.method} {request.url.path}", key)


def _accepted(answer: bytes) -> Response:
    location = orjson.loads(answer)["links"]["receipt"]
    return Response(answer, 202, {"Cache-Control": "no-store", "Location": location}, "application/json")
