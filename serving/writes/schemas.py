"""What answers to writes, and receipts, look like; what may be written is in `ingestion/written.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from serving.responses import Part

_RECEIPT = "rc_WyI0ZjJhOWMwZDExYzg3YjUwZTYzMTlhMDIiLCJ1c2VyLWRhdGEiLDE3OTUyNDM4MTIwMDBd.c2lnbmVkIGJ5IHVz"
_ID = Field(description="Names the write; keep it to follow what becomes of it.", examples=[_RECEIPT])


class Links(Part):
    """Where to go on."""

    receipt: str = Field(description="What became of the write.")


class Accepted(Part):
    """The write is durable; a later release will show it."""

    receipt_id: str = _ID
    status: Literal["landed"] = Field(description="It survives a crash, and nothing shows it yet.")
    received_at: datetime = Field(description="When it was received, UTC.")
    rows: int = Field(description="Rows of tables it consists of.", examples=[3])
    links: Links = Field(description="Where to go on.")


class RefusedRow(Part):
    """A row of the write that is in quarantine."""

    at: str = Field(description="Where it was in the request.", examples=["purchases.0"])
    reasons: list[str] = Field(description="Every rule it broke.", examples=[["quantity out of range"]])


class ReceiptAnswer(Part):
    """What became of a write."""

    receipt_id: str = _ID
    status: Literal["landed", "accepted", "held", "released"] = Field(
        description="landed: waits to be judged. accepted: will be in the next release. held: its batch broke"
        " a rule as a whole, and a person decides. released: in a release."
    )
    kind: Literal["user-data", "feedback", "bulk"] = Field(description="What was written.")
    received_at: datetime = Field(description="When it was received, UTC.")
    rows: int = Field(description="Rows of tables it consists of.", examples=[3])
    batch_id: str | None = Field(description="The batch that it is judged in; null before that.")
    rows_valid: int | None = Field(description="Rows that are in the tables; null before they are judged.")
    rows_quarantined: int | None = Field(description="Rows that are not; null before they are judged.")
    quarantined: list[RefusedRow] = Field(description="The first hundred of those, with their reasons.")
    release_id: str | None = Field(description="The oldest kept release with it; null before there is one.")
    served: bool = Field(description="Whether the release that serves now has it.")


def accepted_example() -> dict[str, Any]:
    """A write that landed."""
    return {
        "receipt_id": _RECEIPT,
        "status": "landed",
        "received_at": "2026-11-21T06:30:12Z",
        "rows": 3,
        "links": {"receipt": f"/api/v1/receipts/{_RECEIPT}"},
    }


def receipt_example() -> dict[str, Any]:
    """A write of which one row was refused."""
    return {
        "receipt_id": _RECEIPT,
        "status": "released",
        "kind": "user-data",
        "received_at": "2026-11-21T06:30:12Z",
        "rows": 3,
        "batch_id": "api/user-data/4f2a9c0d11c87b50e6319a02.ndjson@3f9ac21b0d11",
        "rows_valid": 2,
        "rows_quarantined": 1,
        "quarantined": [{"at": "purchases.0", "reasons": ["timestamp out of range"]}],
        "release_id": "r-20261121-063112-77b0",
        "served": True,
    }


BULK_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One document per line: `user_id` and the fields of `POST /users/{id}/data`.",
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string", "format": "binary"},
                "example": '{"user_id":"u-1","interests":[{"interest":"Camping","strength":0.8}]}\n',
            }
        },
    }
}
