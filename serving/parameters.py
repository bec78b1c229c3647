"""The types of parameters that several areas share. Anything else is refused with 422."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator


def _text(value: str) -> str:
    # Stores written in C end a string at NUL, and a lone surrogate cannot be written as UTF-8.
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must be text without NUL and lone surrogates")
    return value


def _written(value: str) -> str:
    if not value.strip():
        raise ValueError("must contain more than white space")
    return value


Text = AfterValidator(_text)
_USER = "Identifier of a user, as the sources give it."

PathUserId = Annotated[str, Path(description=_USER, min_length=1, max_length=256, examples=["u-0001"]), Text]
QueryUserId = Annotated[
    str, Query(description=_USER, min_length=1, max_length=256, examples=["u-0001"]), Text
]
TypedMessage = Annotated[
    str,
    Query(
        description="A message typed now; similar messages then decide instead of the user's history.",
        max_length=4_000,
        examples=["My card has not arrived yet"],
    ),
    Text,
    AfterValidator(_written),
]
