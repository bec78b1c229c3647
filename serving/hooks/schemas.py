"""The receipt of a call."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from serving.responses import Part


class CallReceipt(Part):
    """The call is durable, and has its effect once."""

    call_id: str = Field(description="The call's `webhook-id`.")
    hook: str = Field(description="The declared hook.")
    received_at: datetime = Field(description="When it was taken first, UTC.")
    status: Literal["landed", "asked"] = Field(
        description="landed: its body is a file, which the pipeline takes. asked: the run starts soon."
    )
    object: str | None = Field(description="The landed file.")
    job: str | None = Field(description="The run that was asked for.")


def example() -> dict[str, Any]:
    """A call that landed a file."""
    return {
        "call_id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        "hook": "shop_orders",
        "received_at": "2026-11-21T06:30:12.000001Z",
        "status": "landed",
        "object": "shop/orders_6b7f1d0c2a9e4f58b3c7d1e0.csv",
        "job": None,
    }


BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "description": "What lands as a file, byte by byte. A hook that starts a run does not look at it.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
