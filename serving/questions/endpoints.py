"""`POST /api/v1/questions`: a question in plain English, answered from the release that serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.access.permission import DENIALS, allowed
from serving.limits import bodies
from serving.limits.bodies import strict_json
from serving.lookups import OF_RELEASE, Lookups, lookups_of
from serving.questions import schemas
from serving.questions.service import Questions

_MAY = [Depends(allowed(Scope.READ_ANALYTICS)), OF_RELEASE]
router = APIRouter(prefix="/api/v1/questions", tags=["questions"], dependencies=_MAY)

Asked = Annotated[schemas.AskedQuestion, Depends(strict_json(schemas.AskedQuestion))]


async def _questions_of(request: Request) -> Questions:
    return request.app.state.questions


@router.post(
    "",
    summary="Ask about KPIs in plain English",
    response_model=schemas.QuestionAnswer,
    openapi_extra=bodies.documented(schemas.AskedQuestion),
    responses={
        **responses.documented_passing(schemas.example(), "An answer, or why there is none."),
        **errors.documented(
            *DENIALS,
            "malformed_json",
            "unsupported_media_type",
            "invalid_parameter",
            "unknown_release",
            "no_release",
            "not_ready",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def ask(
    *,
    request: Request,
    lookups: Annotated[Lookups, Depends(lookups_of)],
    questions: Annotated[Questions, Depends(_questions_of)],
    asked: Asked,
) -> Response:
    """What the question asks for, as it was understood, with figures, queries and a chart.

    What cannot be answered for certain is declined with the reason and what could be asked instead: that is
    an answer, too, with status 200.
    """
    return await lookups.answer(
        request, "analytics", questions.answer, asked.question, asked.context, asked.today
    )
