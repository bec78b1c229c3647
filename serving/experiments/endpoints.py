"""`/api/v1/experiments`: A/B tests and what they have shown so far."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from marketing_platform.access import Scope
from serving import errors, responses
from serving.access.permission import DENIALS, allowed
from serving.experiments import schemas, service
from serving.lookups import OF_RELEASE, Lookups, lookups_of
from serving.parameters import Id

_MAY = [Depends(allowed(Scope.READ_ANALYTICS)), OF_RELEASE]
router = APIRouter(prefix="/api/v1/experiments", tags=["experiments"], dependencies=_MAY)

Ask = Annotated[Lookups, Depends(lookups_of)]
_ERRORS = (
    *DENIALS,
    "invalid_parameter",
    "unknown_release",
    "no_release",
    "not_ready",
    "store_unavailable",
    "internal_error",
)


@router.get(
    "",
    summary="Every A/B test and how it stands",
    response_model=schemas.ExperimentsAnswer,
    responses={
        **responses.documented(schemas.list_example(), "Experiments by name."),
        **errors.documented(*_ERRORS),
    },
)
async def experiments(request: Request, lookups: Ask) -> Response:
    """Users, rates and lifts of each arm; intervals and p-values hold however often one looks."""
    return await lookups.answer_once(request, "analytics", service.experiments)


@router.get(
    "/{name}",
    summary="One A/B test, day by day",
    response_model=schemas.ExperimentAnswer,
    responses={
        **responses.documented(schemas.example(), "The experiment, with the path of its intervals."),
        **errors.documented(*_ERRORS, "unknown_experiment"),
    },
)
async def experiment(
    request: Request, lookups: Ask, name: Annotated[Id, Path(description="Of the experiment.")]
) -> Response:
    """The same with `path`: what was known at the end of each day."""
    return await lookups.answer_once(request, "analytics", service.experiment, name)
