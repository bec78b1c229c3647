"""How segments look in an answer, and what a preview is asked with."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from serving import responses
from serving.responses import Part

MOST_SHOWN = 100
_CRITERIA: dict[str, Any] = {
    "user": {"marketing_consent": True, "country": ["DE", "AT"]},
    "features": {"spend": {"at_least": 100}},
    "none": [{"bought": {"where": {"products.category": "Camping"}, "days": 90}}],
}
_ROW: dict[str, Any] = {
    "segment": "lapsed_customers",
    "description": "Bought before, but not in the last 60 days.",
    "users": 51,
    "consenting": 48,
}
_SEGMENT = Field(description="Its name.", examples=["lapsed_customers"])


class SegmentRow(Part):
    """A declared segment."""

    segment: str = _SEGMENT
    description: str = Field(description="What it is, for people.")
    users: int = Field(description="Users in it when the release was made.")
    consenting: int = Field(description="Those of them who agreed to marketing.")


class SegmentsAnswer(responses.Answer):
    """Every declared segment."""

    items: tuple[SegmentRow, ...] = Field(description="In order of name.")


class MemberRow(Part):
    """A user."""

    user_id: str = Field(description="The user.", examples=["u-0001"])


class MembersAnswer(responses.Answer):
    """A page of a segment's users."""

    segment: str = _SEGMENT
    items: tuple[MemberRow, ...] = Field(description="In order of id.")
    next_offset: int | None = Field(description="Offset of the next page; null on the last.", examples=[None])


class PreviewAnswer(responses.Answer):
    """Who would belong to it."""

    users: int = Field(description="Users for whom the criteria hold.")
    consenting: int = Field(description="Those of them who agreed to marketing.")
    items: tuple[MemberRow, ...] = Field(description="Some of them, the first by id.")


class PreviewQuestion(BaseModel):
    """Criteria to be tried."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"who": _CRITERIA, "sample": 10}]}
    )

    who: dict[str, Any] = Field(
        description="Criteria as in `segments/*.yaml` under `who`: all, any, none, user, features,"
        " engagement, interest, campaign, bought. Days are written as 2026-11-21."
    )
    sample: Annotated[int, Field(ge=0, le=MOST_SHOWN, strict=True)] = Field(
        10, description="How many ids to give."
    )


def segments_example() -> dict[str, Any]:
    """One segment."""
    return {**responses.head_example(), "items": [_ROW]}


def members_example() -> dict[str, Any]:
    """One user."""
    page = {"segment": "lapsed_customers", "items": [{"user_id": "u-0001"}], "next_offset": None}
    return {**responses.head_example(), **page}


def preview_example() -> dict[str, Any]:
    """A count, and a user of it."""
    return {**responses.head_example(), "users": 51, "consenting": 48, "items": [{"user_id": "u-0001"}]}
