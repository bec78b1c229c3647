"""How webhooks are sent and calls taken (`MARKETING_WEBHOOKS_…`); which there are is in `declared.py`."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from random import uniform

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_JITTER = (
    0.2  # a wait is up to so much shorter or longer, so that what failed together does not come together
)


class WebhookSettings(BaseSettings):
    """Deadlines, retries and what may be reached."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_WEBHOOKS_", extra="ignore", frozen=True)

    allowed_hosts: tuple[str, ...] = Field(
        (),
        description='Hosts, as JSON (`["n8n.internal:5678"]`, with a port or for all of them), that may be'
        " spoken to without TLS and may have internal addresses.",
    )
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    connect_seconds: float = Field(5.0, gt=0, le=60, description="To connect, TLS included.")
    answer_seconds: float = Field(15.0, gt=0, le=120, description="For a delivery, everything included.")
    attempts: int = Field(12, ge=1, le=50, description="A delivery that failed so often is a dead letter.")
    first_wait_seconds: float = Field(5.0, gt=0, description="Before the second attempt.")
    wait_factor: float = Field(3.0, ge=1, le=10, description="Each wait is so many times the one before.")
    longest_wait_seconds: float = Field(6 * 3600.0, gt=0, description="But no longer than this.")
    at_once: int = Field(4, ge=1, le=64, description="Deliveries under way at once, per endpoint.")
    keep_days: int = Field(30, ge=1, description="How long deliveries and calls are remembered.")
    tolerance_seconds: int = Field(
        300, ge=1, le=3600, description="How far the timestamp of a call to us may be from our clock."
    )

    def wait_after(self, attempt: int) -> timedelta:
        """How long to wait after the `attempt`-th failure (from 1), jitter included."""
        # The exponent is bounded so that no number of attempts overflows.
        wait = self.first_wait_seconds * self.wait_factor ** min(attempt - 1, 50)
        return timedelta(
            seconds=min(wait, self.longest_wait_seconds) * uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        )

    @property
    def lease(self) -> timedelta:
        """After which a delivery whose process was killed is tried again."""
        return timedelta(seconds=2 * self.answer_seconds)

    @property
    def trust(self) -> ssl.SSLContext:
        """Whom to trust."""
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
