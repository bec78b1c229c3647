"""What a suppression is told with, and how it is answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel, StringConstraints

from marketing_platform.releases.overrides import ItemKind, Reason, Suppression
from serving.parameters import Id, Text
from serving.responses import Part


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    why: Annotated[Text, StringConstraints(max_length=500)] = Field(
        "", description="For people who look later."
    )
    until: AwareDatetime | None = Field(
        None, description="When it ends by itself; without it, when it is lifted."
    )


class OfItem(_Wanted):
    """An item that nobody is to see."""

    reason: Literal["hidden", "out_of_stock", "ended"] = Field(description="Why.")
    kind: ItemKind = Field(description="What the item is.")
    item_id: Id = Field(description="The product or campaign.")


class OfUser(_Wanted):
    """A user who is not to see anything."""

    reason: Literal["opted_out"] = Field(description="Why.")
    user_id: Id = Field(description="The user.")


class OfBoth(_Wanted):
    """An item that one user does not want to see."""

    reason: Literal["blocked"] = Field(description="Why.")
    kind: ItemKind = Field(description="What the item is.")
    item_id: Id = Field(description="The product or campaign.")
    user_id: Id = Field(description="The user.")


class SuppressionQuestion(RootModel[Annotated[OfItem | OfUser | OfBoth, Field(discriminator="reason")]]):
    """What is to be taken out, and why."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {"reason": "hidden", "kind": "product", "item_id": "CAM-1007", "why": "recalled"},
                {"reason": "opted_out", "user_id": "u-0001"},
                {"reason": "blocked", "kind": "campaign", "item_id": "c-07", "user_id": "u-0001"},
            ]
        },
    )


class SuppressionAnswer(Part):
    """A suppression and what became of it."""

    suppression_id: str = Field(description="To lift it by.", examples=["s-3f9ac21b0d114e7a"])
    reason: Reason = Field(description="Why it is out.")
    kind: ItemKind | None = Field(description="What the item is; null when a user is out.")
    item_id: str | None = Field(description="The product or campaign; null when a user is out.")
    user_id: str | None = Field(description="The user; null when it is out for everybody.")
    why: str = Field(description="For people who look later.")
    who: str = Field(description="Who asked for it.", examples=["key-7"])
    created_at: datetime = Field(description="When, UTC.")
    until: datetime | None = Field(description="When it ends by itself; null for never.")
    lifted_at: datetime | None = Field(description="When it was lifted; null while it holds.")
    lifted_by: str | None = Field(description="Who lifted it; null while it holds.")


class SuppressionsAnswer(Part):
    """A page of the suppressions that hold, oldest first."""

    items: tuple[SuppressionAnswer, ...] = Field(description="The suppressions.")
    next_offset: int | None = Field(description="`offset` of the next page; null on the last.")


def shown(suppression: Suppression) -> SuppressionAnswer:
    """A suppression as it is answered."""
    wish = suppression.wish
    return SuppressionAnswer(
        suppression_id=suppression.suppression_id,
        reason=wish.reason,
        kind=wish.kind,
        item_id=wish.item_id,
        user_id=wish.user_id,
        why=wish.why,
        who=suppression.who,
        created_at=suppression.created_at,
        until=wish.until,
        lifted_at=suppression.lifted_at,
        lifted_by=suppression.lifted_by,
    )


def example(*, lifted: bool = False) -> dict[str, Any]:
    """A product that was hidden."""
    at = datetime(2026, 11, 21, 6, 30, 12, tzinfo=UTC)
    answer = SuppressionAnswer(
        suppression_id="s-3f9ac21b0d114e7a",
        reason="hidden",
        kind="product",
        item_id="CAM-1007",
        user_id=None,
        why="recalled",
        who="key-7",
        created_at=at,
        until=None,
        lifted_at=at if lifted else None,
        lifted_by="key-7" if lifted else None,
    )
    return answer.model_dump(mode="json")


def page_example() -> dict[str, Any]:
    """One suppression on the last page."""
    return {"items": [example()], "next_offset": None}
