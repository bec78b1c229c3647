"""`/api/v1/recommendations/quality`: how well what is recommended fits what users do next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from marketing_platform.access import Scope
from marketing_platform.releases.overrides import ItemKind
from serving import errors, responses
from serving.access.permission import DENIALS, allowed
from serving.lookups import OF_RELEASE, Lookups, lookups_of
from serving.quality import schemas, service

_MAY = [Depends(allowed(Scope.READ_ANALYTICS)), OF_RELEASE]
router = APIRouter(prefix="/api/v1/recommendations", tags=["recommendations"], dependencies=_MAY)


@router.get(
    "/quality",
    summary="How good recommendations are",
    response_model=schemas.QualityAnswer,
    responses={
        **responses.documented(schemas.example(), "Recommenders, best first."),
        **errors.documented(
            *DENIALS,
            "invalid_parameter",
            "unknown_release",
            "no_release",
            "not_ready",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def quality(
    *,
    request: Request,
    lookups: Annotated[Lookups, Depends(lookups_of)],
    kind: Annotated[ItemKind, Query(description="What is recommended.")] = "product",
) -> Response:
    """Each recommender learned from what was known before a moment, judged by what users took after it."""
    return await lookups.answer_once(request, "analytics", service.quality, kind)
