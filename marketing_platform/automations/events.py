"""What is told: the four events, and their payloads as receivers get them.

Where events are found is `found.py`'s. Payloads only grow: a field is added, never changed or taken away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from marketing_platform.releases.outbox import OutboxEvent

EventType = Literal["release.published", "release.blocked", "batch.quarantined", "kpi.anomaly"]
TEST = "webhook.test"  # what `marketing-platform webhooks test` sends; no endpoint subscribes to it


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReleasePublished(_Data):
    """A new release serves. Going back to an older one is none."""

    release_id: str = Field(examples=["r-20261121-063112-77b0"])
    previous: str | None = Field(description="The release that served before; null for the first.")
    why: str = Field(examples=["published"])
    users: int
    campaigns: int
    rows_landed: int
    rows_valid: int
    rows_quarantined: int
    batches: int = Field(description="Batches it is made of.")
    held_batches: int = Field(description="Batches that are left out until a person has decided.")


class ReleaseBlocked(_Data):
    """A run that should have made a release failed; what served before goes on serving."""

    run_id: str = Field(description="The run in the Dagster UI.")
    failed: list[str] = Field(description="Each blocking check or step that failed, with its reason.")
    serving: str | None = Field(description="The release that goes on serving; null when there is none.")


class BatchQuarantined(_Data):
    """Rows of a batch were refused; told once per judgement."""

    batch_id: str = Field(examples=["shop/orders_2026-11.csv@3f9ac21b0d11"])
    object: str = Field(description="The landed file.")
    source: str = Field(description="The declared source that it belongs to.")
    decision: Literal["accepted", "held"] = Field(
        description="held: the batch is in no release until it is replaced, replayed or accepted on purpose."
    )
    rows_landed: int
    rows_valid: int
    rows_quarantined: int
    failed: list[str] = Field(description="Rules about the batch as a whole that failed.")


class KpiAnomaly(_Data):
    """A day of a KPI that its own history did not let expect; told once."""

    release_id: str = Field(description="The release in which it was found.")
    kpi: str = Field(examples=["spend"])
    dimension: str | None = Field(description="Null: the figure of everything.")
    member: str | None = Field(description="The value of the dimension.")
    day: date
    value: float
    expected: float
    low: float = Field(description="The value lies below `low` or above `high`.")
    high: float
    currency: str | None = Field(description="Of the values, where they are money.", examples=["EUR"])


class _Event(_Data):
    """The body of a delivery, as Standard Webhooks recommends it."""

    timestamp: datetime = Field(description="When it happened, UTC; not when it was sent.")


class ReleasePublishedEvent(_Event):
    """A new release serves."""

    type: Literal["release.published"] = "release.published"
    data: ReleasePublished


class ReleaseBlockedEvent(_Event):
    """No new release could be made."""

    type: Literal["release.blocked"] = "release.blocked"
    data: ReleaseBlocked


class BatchQuarantinedEvent(_Event):
    """Rows of a landed file were refused."""

    type: Literal["batch.quarantined"] = "batch.quarantined"
    data: BatchQuarantined


class KpiAnomalyEvent(_Event):
    """A figure is far outside its history."""

    type: Literal["kpi.anomaly"] = "kpi.anomaly"
    data: KpiAnomaly


Event = ReleasePublishedEvent | ReleaseBlockedEvent | BatchQuarantinedEvent | KpiAnomalyEvent
EVENTS: Mapping[EventType, type[Event]] = {
    "release.published": ReleasePublishedEvent,
    "release.blocked": ReleaseBlockedEvent,
    "batch.quarantined": BatchQuarantinedEvent,
    "kpi.anomaly": KpiAnomalyEvent,
}


def kept(event: Event, subject: str) -> OutboxEvent:
    """The event for the outbox; about one `subject` it is told once, however often it is found."""
    body = event.model_dump_json()
    return OutboxEvent(event_id(event.type, subject), event.type, event.timestamp, body)


def test_body(at: datetime) -> bytes:
    """What an endpoint gets to see whether it is reached, and verifies signatures."""
    return orjson.dumps({"type": TEST, "timestamp": at, "data": {}})


def event_id(kind: str, subject: str) -> str:
    """The `webhook-id`: the same for the same event, whoever finds it."""
    return f"msg_{hashlib.sha256(f'{kind} {subject}'.encode()).hexdigest()[:24]}"
