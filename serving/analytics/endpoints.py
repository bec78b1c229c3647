"""`/analytics/…`: pages of figures, filtered and sorted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator

from marketing_platform.access import Scope
from marketing_platform.analytics import aggregate
from serving import errors, responses
from serving.access.permission import DENIALS, allowed
from serving.analytics import schemas, service
from serving.errors import ApiError
from serving.lookups import OF_RELEASE, Lookups, lookups_of
from serving.parameters import Day, OnlyCampaignId, OnlyChannel, OnlyUserId

_MAY = [Depends(allowed(Scope.READ_ANALYTICS)), OF_RELEASE]
router = APIRouter(prefix="/analytics", tags=["analytics"], dependencies=_MAY)

Ask = Annotated[Lookups, Depends(lookups_of)]
Order = Annotated[service.Order, Query(description="Rows without a value come last either way.")]
Limit = Annotated[int, Query(description="Rows of a page.", ge=1, le=500)]
Offset = Annotated[int, Query(description="Rows to skip; take it from next_offset.", ge=0, le=1_000_000_000)]


def _sortable(table: str) -> AfterValidator:
    columns = aggregate(table).column_names

    def known(value: str) -> str:
        if value not in columns:
            raise ValueError(f"must be one of: {', '.join(columns)}")
        return value

    return AfterValidator(known)


def _sort(table: str) -> object:
    return Query(
        description="Column to sort by.", json_schema_extra={"enum": list(aggregate(table).column_names)}
    )


@router.get(
    "/user-engagement",
    summary="How engaged users are",
    response_model=schemas.UserEngagementAnswer,
    responses={
        **responses.documented(schemas.example("user_engagement"), "A page of users."),
        **errors.documented(
            *DENIALS,
            "unknown_user",
            "invalid_parameter",
            "unknown_release",
            "no_release",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def user_engagement(
    *,
    request: Request,
    lookups: Ask,
    user_id: OnlyUserId = None,
    sort: Annotated[str, _sort("user_engagement"), _sortable("user_engagement")] = "engagement_score",
    order: Order = "desc",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """One row per user with at least one event; with `user_id` that user's row alone."""
    page = service.Page(sort, order, limit, offset)
    return await lookups.answer_once(request, "analytics", service.user_engagement, user_id, page)


@router.get(
    "/campaign-performance",
    summary="How campaigns do",
    response_model=schemas.CampaignPerformanceAnswer,
    responses={
        **responses.documented(schemas.example("campaign_performance"), "A page of campaigns."),
        **errors.documented(
            *DENIALS,
            "unknown_campaign",
            "invalid_parameter",
            "unknown_release",
            "no_release",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def campaign_performance(
    *,
    request: Request,
    lookups: Ask,
    campaign_id: OnlyCampaignId = None,
    sort: Annotated[
        str, _sort("campaign_performance"), _sortable("campaign_performance")
    ] = "engagement_score",
    order: Order = "desc",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """One row per campaign, also without an event yet; with `campaign_id` that campaign's row alone."""
    page = service.Page(sort, order, limit, offset)
    return await lookups.answer_once(request, "analytics", service.campaign_performance, campaign_id, page)


@router.get(
    "/daily-activity",
    summary="What happened by day and channel",
    response_model=schemas.DailyActivityAnswer,
    responses={
        **responses.documented(schemas.example("daily_activity"), "A page of days and channels."),
        **errors.documented(
            *DENIALS,
            "invalid_parameter",
            "unknown_release",
            "no_release",
            "store_unavailable",
            "internal_error",
        ),
    },
)
async def daily_activity(
    *,
    request: Request,
    lookups: Ask,
    first: Annotated[Day | None, Query(alias="from", description="First day, UTC.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="Last day, UTC; included.")] = None,
    channel: OnlyChannel = None,
    sort: Annotated[str, _sort("daily_activity"), _sortable("daily_activity")] = "date",
    order: Order = "asc",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """One row per day and channel. Distinct users do not add up over rows."""
    if first and last and first > last:
        problem = {"in": "query", "name": "to", "problem": "must not lie before from"}
        raise ApiError("invalid_parameter", problems=[problem])
    conditions = (
        service.Condition("date", ">=", first),
        service.Condition("date", "<=", last),
        service.Condition("channel", "=", channel),
    )
    page = service.Page(sort, order, limit, offset)
    return await lookups.answer_once(request, "analytics", service.daily_activity, conditions, page)
