"""`POST /api/v1/hooks/{name}`: a call that its signature permits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response, Security
from fastapi.security import APIKeyHeader

from marketing_platform.automations.signing import ID, SIGNATURE, TIMESTAMP
from serving import errors
from serving.hooks import schemas
from serving.hooks.service import HookService

router = APIRouter(prefix="/api/v1/hooks", tags=["hooks"])

_SIGNATURE = APIKeyHeader(
    name=SIGNATURE,
    scheme_name="signature",
    description="Of `webhook-id`, `webhook-timestamp` and the body, as Standard Webhooks has it.",
    auto_error=False,
)


async def _service(request: Request) -> HookService:
    return request.app.state.hooks


@router.post(
    "/{name}",
    status_code=202,
    summary="Land a file or start a run by a signed call",
    response_model=schemas.CallReceipt,
    dependencies=[Security(_SIGNATURE)],
    openapi_extra=schemas.BODY,
    responses={
        202: {
            "description": "It is durable; sent again, signed anew, it gets the same receipt.",
            "content": {"application/json": {"example": schemas.example()}},
        },
        **errors.documented(
            "invalid_signature", "call_repeated", "invalid_parameter", "store_unavailable", "internal_error"
        ),
    },
)
async def call(
    request: Request,
    hooks: Annotated[HookService, Depends(_service)],
    name: Annotated[str, Path(description="The declared hook.", max_length=50)],
) -> Response:
    """Signed as [Standard Webhooks](https://www.standardwebhooks.com) has it; no key is needed.

    The timestamp may be five minutes from our clock. A `webhook-id` has its effect once: signed anew with the
    same body it gets the same receipt, the very same message again gets 409.
    """
    receipt = await hooks.take(name, _signature_headers(request), await request.body())
    return Response(receipt, 202, {"Cache-Control": "no-store"}, "application/json")


def _signature_headers(request: Request) -> Mapping[str, Sequence[str]]:
    return {name: request.headers.getlist(name) for name in (ID, TIMESTAMP, SIGNATURE)}
