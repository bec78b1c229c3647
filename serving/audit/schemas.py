"""What releases and batches look like to those who audit them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from marketing_platform.releases.manifest import Totals
from serving.responses import Part

State = Literal["landed", "accepted", "held", "accepted on purpose"]


class ReleaseLine(Part):
    """One release."""

    release_id: str = Field(description="Its name.", examples=["r-20261121-063012-4f2a"])
    created_at: datetime = Field(description="When it was made, UTC.")
    previous: str | None = Field(description="What served before it was made; null for the first.")
    current: bool = Field(description="Whether it serves now.")
    pinned: bool = Field(description="Whether somebody keeps it from being collected.")
    gate: Literal["passed"] = Field(description="Every blocking check passed; others are never published.")
    run_id: str = Field(description="The run that made it.")
    code_version: str = Field(description="The version of the code that made it.")
    batches: int = Field(description="Batches it is made of.")
    held_batches: int = Field(description="Batches that were held when it was made.")
    totals: Totals = Field(description="What is in it.")


class Releases(Part):
    """A page of the releases that are kept, newest first."""

    items: list[ReleaseLine] = Field(description="Releases.")
    next_cursor: str | None = Field(description="Ask for the next page with it; null at the end.")


class BatchLine(Part):
    """One version of one landed object."""

    batch_id: str = Field(description="Its name.")
    source: str = Field(description="The declaration that reads it.", examples=["api_user_data"])
    object: str = Field(description="The object's name in the landing zone.")
    content_hash: str = Field(description="SHA-256 of its bytes.")
    size: int = Field(description="Bytes.")
    landed_at: datetime = Field(description="When it was taken, UTC.")
    state: State = Field(description="landed: not judged yet. held: it failed its gate, in no release.")
    rows_landed: int = Field(description="Records in it; 0 before it is judged.")
    rows_valid: int = Field(description="Records that became rows of tables.")
    rows_quarantined: int = Field(description="Records that were refused.")
    failed: list[str] = Field(description="Rules of the gate that it failed.")
    why: str | None = Field(description="Said by whoever accepted it on purpose.")


class Batches(Part):
    """A page of batches, newest landing first."""

    items: list[BatchLine] = Field(description="Batches.")
    next_cursor: str | None = Field(description="Ask for the next page with it; null at the end.")


class Happened(Part):
    """One line of the audit trail."""

    at: datetime = Field(description="When, UTC.")
    action: str = Field(description="What happened.", examples=["accepted"])
    who: str | None = Field(description="Who did it; null for the pipeline.")
    why: str | None = Field(description="Why, in their words.")


class Writer(Part):
    """Who wrote rows of a batch through the API."""

    principal: str = Field(description="Id of the key, or subject of the token.")
    rows: int = Field(description="How many of the rows that were looked at.")


class BatchAnswer(BatchLine):
    """A batch with everything that is known of it."""

    reasons: dict[str, int] = Field(description="Refused records by reason; a record may have several.")
    tables: list[str] = Field(description="Tables that have rows of it.")
    written_by: list[Writer] = Field(
        description="Who wrote it, by the first 100,000 rows; empty for objects that did not come by the API."
    )
    releases: list[str] = Field(description="Kept releases that contain it, newest first.")
    history: list[Happened] = Field(description="The audit trail, oldest first.")


def _release() -> dict[str, Any]:
    return {
        "release_id": "r-20261121-063012-4f2a",
        "created_at": "2026-11-21T06:30:12Z",
        "previous": None,
        "current": True,
        "pinned": False,
        "gate": "passed",
        "run_id": "5d0f4d8e-4c1c-4d6c-9a59-1f0c7f5d3b0e",
        "code_version": "0.1.0",
        "batches": 12,
        "held_batches": 1,
        "totals": {
            "rows_landed": 16549,
            "rows_valid": 16378,
            "rows_quarantined": 171,
            "users": 400,
            "campaigns": 24,
            "vectors": 2683,
            "edges": 26169,
        },
    }


def release_example() -> dict[str, Any]:
    """The release that serves."""
    return _release()


def releases_example() -> dict[str, Any]:
    """The only release there is."""
    return {"items": [_release()], "next_cursor": None}


def _batch() -> dict[str, Any]:
    return {
        "batch_id": "api/user-data/4f2a9c0d11c87b50e6319a02.ndjson@3f9ac21b0d11",
        "source": "api_user_data",
        "object": "api/user-data/4f2a9c0d11c87b50e6319a02.ndjson",
        "content_hash": "3f9ac21b0d11c87b50e6319a024f2a9c0d11c87b50e6319a024f2a9c0d11c87b",
        "size": 20480,
        "landed_at": "2026-11-21T06:30:12Z",
        "state": "accepted",
        "rows_landed": 90,
        "rows_valid": 89,
        "rows_quarantined": 1,
        "failed": [],
        "why": None,
    }


def batches_example() -> dict[str, Any]:
    """The newest batch."""
    return {"items": [_batch()], "next_cursor": "41"}


def batch_example() -> dict[str, Any]:
    """A batch in which one row was refused."""
    return {
        **_batch(),
        "reasons": {"timestamp out of range": 1},
        "tables": ["purchases", "users"],
        "written_by": [{"principal": "k_shop", "rows": 90}],
        "releases": ["r-20261121-063112-77b0"],
        "history": [
            {"at": "2026-11-21T06:30:12Z", "action": "landed", "who": None, "why": None},
            {"at": "2026-11-21T06:30:14Z", "action": "accepted", "who": None, "why": None},
        ],
    }
