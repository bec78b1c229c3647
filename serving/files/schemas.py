"""What the answer to an uploaded file looks like."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from serving.responses import Part


class LandedFile(Part):
    """The file is durable; it is judged like any other, and the next release shows it."""

    source: str = Field(description="The declaration that reads it.", examples=["ads_spend"])
    object: str = Field(description="Where it landed; uploaded again under this name, it is replaced.")
    size: int = Field(description="Bytes.")
    content_hash: str = Field(
        description="SHA-256 of its bytes; what has landed before under whatever name changes nothing."
    )
    batch: str = Field(
        description="Ask `/api/v1/batches/{batch_id}` with it; 404 until the file is taken.",
        examples=["3f9ac21b0d11"],
    )


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file, byte for byte.",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "example": "date,platform,spend\n2026-06-30,Meta,12.50\n",
            }
        },
    }
}


def example() -> dict[str, Any]:
    """A file of ad spend."""
    digest = "3f9ac21b0d11c87b50e6319a024f2a9c0d11c87b50e6319a024f2a9c0d11c87b"
    return {
        "source": "ads_spend",
        "object": "ads_spend_2026-06.csv",
        "size": 20480,
        "content_hash": digest,
        "batch": digest[:12],
    }
