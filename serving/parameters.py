"""The types of parameters that several areas share. Anything else is refused with 422."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, StringConstraints

from marketing_platform.ingestion.written import text_problem


def _text(value: str) -> str:
    if problem := text_problem(value):
        raise ValueError(problem)
    return value


def _written(value: str) -> str:
    if not value.strip():
        raise ValueError("must contain more than white space")
    return value


Id = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_text)]
Message = Annotated[str, StringConstraints(max_length=4_000), AfterValidator(_text), AfterValidator(_written)]

_USER = "Identifier of a user, as the sources give it."

PathUserId = Annotated[Id, Path(description=_USER, examples=["u-0001"])]
QueryUserId = Annotated[Id, Query(description=_USER, examples=["u-0001"])]
OnlyUserId = Annotated[Id | None, Query(description="Only this user.", examples=["u-0001"])]
OnlyCampaignId = Annotated[Id | None, Query(description="Only this campaign.", examples=["c-07"])]
OnlyChannel = Annotated[Id | None, Query(description="Only this channel.", examples=["email"])]
TypedMessage = Annotated[
    Message | None,
    Query(
        description="A message typed now; who wrote similar ones then decides, not the user's history.",
        examples=["My card has not arrived yet"],
    ),
]
