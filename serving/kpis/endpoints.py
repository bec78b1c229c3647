"""`/api/v1/kpis`: figures by dimension and period."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import StringConstraints

from marketing_platform.access import Scope
from marketing_platform.analytics.kpis import Registry
from marketing_platform.analytics.kpis.question import Order
from marketing_platform.analytics.kpis.reading import ANOMALIES, FORECASTS
from marketing_platform.analytics.kpis.wanted import AGAINST, FILTER, PREVIOUS, Wanted
from serving import errors, responses
from serving.access.permission import DENIALS, allowed
from serving.errors import ApiError
from serving.kpis import findings_schemas, schemas, service
from serving.lookups import OF_RELEASE, Lookups, lookups_of
from serving.parameters import Day, Text

_MAY = [Depends(allowed(Scope.READ_ANALYTICS)), OF_RELEASE]
router = APIRouter(prefix="/api/v1/kpis", tags=["analytics"], dependencies=_MAY)


async def registry_of(request: Request) -> Registry:
    """A dependency: the KPIs that this application knows."""
    return request.app.state.registry


Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Condition = Annotated[Text, StringConstraints(max_length=300, pattern=FILTER)]


@router.get(
    "",
    summary="Figures by dimension and period, compared",
    response_model=schemas.KpiAnswer,
    responses={
        **responses.documented(schemas.example(), "Figures, and all it takes to check them."),
        **errors.documented(
            *DENIALS,
            "invalid_parameter",
            "unanswerable",
            "unknown_release",
            "no_release",
            "not_ready",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def kpis(
    *,
    request: Request,
    lookups: Annotated[Lookups, Depends(lookups_of)],
    registry: Annotated[Registry, Depends(registry_of)],
    kpi: Annotated[
        list[Name],
        Query(description="KPIs by identifier; all that have the dimensions if left out.", max_length=20),
    ] = [],  # noqa: B006 -- FastAPI copies it
    by: Annotated[
        list[Name],
        Query(
            description="Dimensions of the lines, at most one of them day, week, month or quarter.",
            max_length=4,
        ),
    ] = [],  # noqa: B006 -- the same
    first: Annotated[
        Day | None, Query(alias="from", description="First day; with neither, the last 30 days of data.")
    ] = None,
    last: Annotated[
        Day | None, Query(alias="to", description="Last day, included; the last day of data if left out.")
    ] = None,
    against: Annotated[
        str,
        Query(
            description="What to compare with: `previous` (as many days before), `year-before`, `none`, or"
            " days such as 2026-05-01..2026-05-31.",
            pattern=AGAINST,
        ),
    ] = PREVIOUS,
    conditions: Annotated[
        list[Condition],
        Query(
            alias="filter",
            description="`country=DE` or `country!=DE`; may be repeated, values of a dimension add up.",
            max_length=50,
        ),
    ] = [],  # noqa: B006 -- the same
    order_by: Annotated[Name | None, Query(description="A KPI to rank the lines by.")] = None,
    order: Annotated[
        Order, Query(description="best and worst go by the KPI's direction; lines without a value come last.")
    ] = "best",
    limit: Annotated[int, Query(description="Lines at most.", ge=1, le=1_000)] = 100,
) -> Response:
    """Every figure is a sum or a ratio of sums, never a mean of ratios; what has no value says why."""
    if first and last and first > last:
        problem = {"in": "query", "name": "to", "problem": "must not lie before from"}
        raise ApiError("invalid_parameter", problems=[problem])
    wanted = Wanted(tuple(kpi), tuple(by), first, last, against, tuple(conditions), order_by, order, limit)
    return await lookups.answer_once(request, "analytics", service.values, wanted, registry=registry)


Of = Annotated[
    list[Name], Query(alias="kpi", description="KPIs by identifier; all if left out.", max_length=20)
]
_FINDINGS = errors.documented(
    *DENIALS,
    "invalid_parameter",
    "unknown_release",
    "no_release",
    "not_ready",
    "store_unavailable",
    "internal_error",
)


@router.get(
    "/anomalies",
    summary="Days far outside a KPI's own history",
    response_model=findings_schemas.AnomaliesAnswer,
    responses={
        **responses.documented(findings_schemas.anomalies_example(), "Unusual days, and what was looked at."),
        **_FINDINGS,
    },
)
async def anomalies(
    *,
    request: Request,
    lookups: Annotated[Lookups, Depends(lookups_of)],
    registry: Annotated[Registry, Depends(registry_of)],
    kpi: Of = [],  # noqa: B006 -- FastAPI copies it
) -> Response:
    """The last 28 whole days of what is watched, each judged by the 12 weeks before it; the latest first."""
    return await lookups.answer_once(
        request, "analytics", service.findings, ANOMALIES, tuple(kpi), registry=registry
    )


@router.get(
    "/forecasts",
    summary="The days to come, with intervals",
    response_model=findings_schemas.ForecastsAnswer,
    responses={
        **responses.documented(
            findings_schemas.forecasts_example(), "Forecasts, and how far such were off before."
        ),
        **_FINDINGS,
    },
)
async def forecasts(
    *,
    request: Request,
    lookups: Annotated[Lookups, Depends(lookups_of)],
    registry: Annotated[Registry, Depends(registry_of)],
    kpi: Of = [],  # noqa: B006 -- the same
) -> Response:
    """28 days, by exponential smoothing or, where that did no better before, as a week ago."""
    return await lookups.answer_once(
        request, "analytics", service.findings, FORECASTS, tuple(kpi), registry=registry
    )
