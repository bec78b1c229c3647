"""Lists for ad platforms: who is in them, and what stands in a cell."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.content.segments.export import (
    Platform,
    exported,
    hashed_email,
    platform,
    platforms,
)
from marketing_platform.errors import InputError
from marketing_platform.spreadsheets import plain

# Of test@example.com, as any tool has it.
KNOWN = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"


def member(user: str, email: str | None, consenting: bool | None = True) -> dict[str, Any]:
    return {"user_id": user, "email": email, "consenting": consenting}


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_the_hash_is_of_the_address_as_platforms_want_it() -> None:
    assert hashed_email("test@example.com") == hashed_email("  Test@Example.COM\n") == KNOWN


def test_only_who_agreed_and_can_be_reached_is_in_it_and_everybody_else_is_counted() -> None:
    found = exported(
        [
            member("ann", "test@example.com"),
            member("bob", "bob@example.com", consenting=False),
            member("cyd", "cyd@example.com", consenting=None),
            member("dan", None),
            member("eve", " "),
            member("fay", "fay@example.com"),  # is to be forgotten
            member("gus", "TEST@example.com"),
        ],
        platform("own"),
        left_out={"fay", "somebody else"},
    )
    assert rows(found.content) == [["user_id", "email_sha256"], ["ann", KNOWN]]
    assert (found.members, found.exported) == (7, 1)
    assert (found.without_consent, found.without_email, found.left_out, found.same_email) == (2, 2, 1, 1)


@pytest.mark.parametrize(("name", "header"), [("google_ads", "Email"), ("meta", "email")])
def test_ad_platforms_learn_nothing_but_the_hash(name: str, header: str) -> None:
    found = exported([member("ann", "test@example.com")], platform(name), left_out=())
    assert found.content == f"{header}\r\n{KNOWN}\r\n".encode()
    assert all(value == "email_sha256" for value in platforms()[name].columns.values())


def test_an_unknown_platform_is_told_which_there_are() -> None:
    with pytest.raises(InputError, match="no platform 'fax'; there are: google_ads, meta, own"):
        platform("fax")


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1))
def test_no_id_becomes_a_formula_or_another_cell(user: str) -> None:
    both = Platform(description="-", columns={"user_id": "user_id", "email": "email_sha256"})
    (_, row) = rows(exported([member(user, "test@example.com")], both, left_out=()).content)
    assert row == [plain(user), KNOWN]
    assert row[0] in (user, f"'{user}")
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_formulas_stay_text(cell: str) -> None:
    assert plain(cell) == f"'{cell}"
