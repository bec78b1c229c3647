"""What the health answer looks like."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from serving import responses


class HealthAnswer(responses.Answer):
    """A release is being served."""

    status: Literal["ok", "degraded"] = Field(
        description="degraded: answers come from the last good release, keys or live path cannot be read,"
        " or a datastore did not answer in the last half minute."
    )
    created_at: datetime = Field(description="When the release was made, UTC.")
    age_seconds: float = Field(description="How long ago that was.", examples=[41.5])
    live_path: Literal["starting", "ready", "failed"] = Field(
        description="Whether `/recommendations/{user_id}?message=` can answer."
    )
    degraded_reason: str | None = Field(description="What is wrong; null when nothing is.", examples=[None])


def example() -> dict[str, Any]:
    """A healthy answer."""
    return {
        **responses.head_example(),
        "status": "ok",
        "created_at": "2026-11-21T06:30:12Z",
        "age_seconds": 41.5,
        "live_path": "ready",
        "degraded_reason": None,
    }
