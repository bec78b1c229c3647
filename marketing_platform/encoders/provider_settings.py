"""How the provider of an encoder is reached (`MARKETING_ENCODER_…`), and how much it may be asked.

Which provider, model and dimension it is decides what vectors mean, so that stands with what a
release is made by: `encoder`, `encoder_model` and `encoder_dimensions` of `settings.py`.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from marketing_platform.stores.credentials import secret
from marketing_platform.stores.server_settings import ServerSettings


class ProviderSettings(ServerSettings):
    """Endpoint, key, deadlines and limits of the encoder behind an API."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_ENCODER_", extra="ignore", frozen=True)
    address_field = "base_url"

    base_url: str | None = Field(
        None, pattern=r"^https?://", description="The API below which models are asked; the provider's own."
    )
    api_key: SecretStr | None = Field(None, description="Left out where the endpoint asks for none.")
    api_key_file: Path | None = Field(None, description="A file with the key, instead of it.")
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    connect_seconds: float = Field(3.0, gt=0, description="To connect.")
    answer_seconds: float = Field(30.0, gt=0, description="For each wait within one request of a run.")
    live_seconds: float = Field(
        2.0, gt=0, description="For a message that somebody typed, everything included; then 503."
    )
    batch_texts: int = Field(100, ge=1, le=2048, description="Texts in one request; Gemini takes 100.")
    batch_bytes: int = Field(
        200_000, ge=1_000, description="Bytes of text in one request, save of a single one."
    )
    requests_per_minute: int = Field(300, ge=1, description="Of one process, retries included.")
    concurrency: int = Field(4, ge=1, le=64, description="Requests under way at once.")
    max_retries: int = Field(5, ge=0, le=20, description="After 429, 5xx and broken connections, in a run.")
    longest_wait_seconds: float = Field(
        120.0, gt=0, description="A provider that asks to wait longer (Retry-After) is given up."
    )

    @property
    def key(self) -> str | None:
        """The key itself."""
        return secret(self.api_key, self.api_key_file)

    @property
    def trust(self) -> ssl.SSLContext | bool:
        """Whom to trust, as httpx2 is told."""
        return ssl.create_default_context(cafile=str(self.ca_file)) if self.ca_file else True
