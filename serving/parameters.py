"""The types of parameters that several areas share. Anything else is refused with 422."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from marketing_platform.ingestion.written import text_problem

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _text(value: str) -> str:
    if problem := text_problem(value):
        raise ValueError(problem)
    return value


def _written(value: str) -> str:
    if not value.strip():
        raise ValueError("must contain more than white space")
    return value


def _written_as_date(value: object) -> object:
    # pydantic would take a number for seconds since 1970.
    if isinstance(value, str) and not _ISO_DATE.fullmatch(value):
        raise ValueError("must be a date such as 2026-11-21")
    return value


Text = Annotated[str, AfterValidator(_text)]
Day = Annotated[date, BeforeValidator(_written_as_date)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_text)]
Message = Annotated[
    str,
    StringConstraints(max_length=4_000),
    AfterValidator(_text),
    AfterValidator(_written),
    Field(json_schema_extra={"pattern": r"\S"}),
]

_USER = "Identifier of a user, as the sources give it."

PathUserId = Annotated[Id, Path(description=_USER, examples=["u-0001"])]
QueryUserId = Annotated[Id, Query(description=_USER, examples=["u-0001"])]
OnlyUserId = Annotated[Id | None, Query(description="Only this user.", examples=["u-0001"])]
OnlyCampaignId = Annotated[Id | None, Query(description="Only this campaign.", examples=["c-07"])]
OnlyChannel = Annotated[Id | None, Query(description="Only this channel.", examples=["email"])]
OnlyCategory = Annotated[
    Id | None, Query(description="Only items of this category, of those prepared.", examples=["Camping"])
]
TypedMessage = Annotated[
    Message | None,
    Query(
        description="A message typed now; who wrote similar ones then decides, not the user's history.",
        examples=["My card has not arrived yet"],
    ),
]
OfRelease = Annotated[
    Id | None,
    Query(
        alias="release",
        description="Answer as this release did, while it is kept: byte for byte, without what was suppressed"
        " since. Left out, the release that serves answers.",
        examples=["r-20261121-063012-4f2a"],
    ),
]
