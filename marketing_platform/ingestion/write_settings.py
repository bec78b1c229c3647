"""How the API takes data in, and how much of it (`MARKETING_WRITES_…`)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from marketing_platform.stores.kafka_settings import Topic


class WriteSettings(BaseSettings):
    """Sizes and times of what is written through the API."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_WRITES_", extra="ignore", frozen=True)

    segment_seconds: float = Field(
        3.0, gt=0, le=3600, description="What was written within so long after the first lands together, or"
    )
    segment_bytes: int = Field(8 << 20, ge=1 << 10, le=1 << 30, description="so much of it.")
    gather_seconds: float = Field(
        0.5,
        gt=0,
        le=10,
        description="Servers without `topics`: a write waits so long for others that land in its object.",
    )
    waiting_entries: int = Field(
        10_000, ge=1, description="When more writes wait to be made durable, further ones get 503."
    )
    durable_seconds: float = Field(
        20.0, gt=0, description="A write that is not durable by then gets 503; it may still land."
    )
    idempotency_hours: float = Field(
        24.0, gt=0, le=24 * 30, description="How long the answer to an Idempotency-Key is remembered."
    )
    exposure_seconds: float = Field(
        5.0,
        gt=0,
        le=600,
        description="Which arms of experiments users were shown is written together every so many seconds;"
        " a process that is killed loses what it showed meanwhile.",
    )
    bulk_bytes: int = Field(1 << 30, ge=1 << 10, description="The largest bulk upload, after decompression.")
    bulk_line_bytes: int = Field(1 << 20, ge=1 << 10, description="The longest line of a bulk upload.")
    bulk_ratio: int = Field(
        200, ge=2, description="A compressed upload that grows by more than this is refused."
    )
    bulk_idle_seconds: float = Field(
        30.0, gt=0, description="An upload that sends nothing for so long is ended."
    )
    bulk_uploads: int = Field(2, ge=1, le=64, description="Bulk uploads that one process takes at once.")
    user_data_topic: Topic | None = Field(
        None, description="Servers: user data goes to this Kafka topic instead of to objects."
    )
    feedback_topic: Topic | None = Field(None, description="The same for feedback.")


def load_write_settings() -> WriteSettings:
    """The settings of this process."""
    return WriteSettings()  # pyright: ignore[reportCallIssue] -- fields come from the environment
