"""What the health answer looks like."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from serving import responses
from serving.responses import Part


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
    areas: dict[str, Literal["ok", "failing"]] = Field(
        description="By what is asked: whether its datastores answered when they were last asked;"
        " a failure is forgotten after half a minute."
    )
    degraded_reason: str | None = Field(
        description="What is wrong; null when nothing is. Why, for callers with the scope `read:analytics`.",
        examples=[None],
    )
    circuits: dict[str, Literal["closed", "open", "half-open"]] = Field(
        description="By what is asked: whether its datastores are (closed), or are left alone for a while"
        " because they failed again and again (open), or are being tried again (half-open)."
    )
    limits_shared: bool | None = Field(
        description="Whether limits count what all processes answer; null where there is only one."
    )


class AliveAnswer(Part):
    """The process answers."""

    status: Literal["alive"]


class ReadyAnswer(responses.Answer):
    """Answers come from a release."""

    status: Literal["ready"]


def example() -> dict[str, Any]:
    """A healthy answer."""
    return {
        **responses.head_example(),
        "status": "ok",
        "created_at": "2026-11-21T06:30:12Z",
        "age_seconds": 41.5,
        "live_path": "ready",
        "areas": {
            **{"recommendations": "ok", "features": "ok", "live path": "ok"},
            **{"graph": "ok", "analytics": "ok"},
        },
        "degraded_reason": None,
        "circuits": {"recommendations": "closed", "graph": "closed"},
        "limits_shared": None,
    }


def ready_example() -> dict[str, Any]:
    """A process that answers."""
    return {**responses.head_example(), "status": "ready"}
