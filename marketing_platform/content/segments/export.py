"""Members of a segment as a file for an ad platform: who agreed to it, with hashed addresses.

Which columns a platform takes is declared in `platforms.yaml`. Users who have not agreed to marketing, have
no address, opted out or are to be forgotten are in no file.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from marketing_platform.content.segments.queries import MEMBERS
from marketing_platform.errors import InputError
from marketing_platform.spreadsheets import plain

Value = Literal["email_sha256", "user_id"]

EXPORTED = f"""
SELECT users.user_id, users.email, users.marketing_consent AS consenting
FROM {MEMBERS} JOIN users ON users.user_id = {MEMBERS}.user_id
WHERE {MEMBERS}.segment = $segment ORDER BY users.user_id"""  # noqa: S608 -- our own name
READS = (MEMBERS, "users")


class Platform(BaseModel):
    """What a platform takes: a header for each value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    columns: Annotated[Mapping[str, Value], Field(min_length=1)]


@dataclass(frozen=True)
class Exported:
    """A file, and why some members are not in it."""

    content: bytes
    members: int
    exported: int
    without_consent: int
    without_email: int
    left_out: int  # opted out, or to be forgotten
    same_email: int  # of another member


@cache
def platforms() -> Mapping[str, Platform]:
    """Every declared platform by name."""
    declared = yaml.safe_load(Path(__file__).with_name("platforms.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, Platform]).validate_python(declared)


def platform(name: str) -> Platform:
    """The platform of that name; InputError when none is declared."""
    if name not in platforms():
        raise InputError(f"no platform {name!r}; there are: {', '.join(platforms())}")
    return platforms()[name]


def hashed_email(address: str) -> str:
    """SHA-256, in hexadecimal, of an address in lower case without white space.

    As Google ("Customer Match", formatting of hashed data) and Meta ("Customer file custom audiences",
    normalisation) want addresses before they are hashed.
    """
    return hashlib.sha256("".join(address.split()).lower().encode()).hexdigest()


def exported(rows: Iterable[Mapping[str, Any]], to: Platform, *, left_out: Collection[str]) -> Exported:
    """The file for a platform (UTF-8, lines end in CR LF).

    Args:
        rows: Rows of EXPORTED.
        to: Which columns the file has.
        left_out: Users who opted out, or are to be forgotten.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(to.columns)
    seen: set[str] = set()
    counts = dict.fromkeys(("members", "without_consent", "without_email", "left_out", "same_email"), 0)
    for row in rows:
        counts["members"] += 1
        if row["user_id"] in left_out:
            counts["left_out"] += 1
        elif not row["consenting"]:
            counts["without_consent"] += 1
        elif not (row["email"] or "").strip():
            counts["without_email"] += 1
        elif (hashed := hashed_email(row["email"])) in seen:
            counts["same_email"] += 1
        else:
            seen.add(hashed)
            values = {"email_sha256": hashed, "user_id": plain(row["user_id"])}
            writer.writerow([values[value] for value in to.columns.values()])
    return Exported(written.getvalue().encode(), exported=len(seen), **counts)
