"""Which API the dashboard asks, and as whom (`MARKETING_DASHBOARD_…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from marketing_platform.stores.credentials import secret
from marketing_platform.stores.registry import from_environment
from marketing_platform.stores.server_settings import ServerSettings


class DashboardSettings(ServerSettings):
    """The key is the dashboard's own: whoever opens a page sees what that key may see."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_DASHBOARD_", extra="ignore", frozen=True)
    address_field = "api_url"

    api_url: str = Field("http://127.0.0.1:8000", description="Where the API answers.")
    key: SecretStr | None = Field(
        None, description="Its key; `marketing-platform dashboard` makes one unless given."
    )
    key_file: Path | None = Field(None, description="A file with the key, instead of it.")
    connect_seconds: float = Field(2.0, gt=0, le=60, description="To reach the API.")
    answer_seconds: float = Field(15.0, gt=0, le=300, description="For an answer of the API.")
    upload_seconds: float = Field(600.0, gt=0, le=3600, description="For an uploaded file to be durable.")

    @model_validator(mode="after")
    def _require_http(self) -> Self:
        if not self.api_url.startswith(("http://", "https://")):
            raise ValueError("MARKETING_DASHBOARD_API_URL begins with http:// or https://")
        return self

    @property
    def found_key(self) -> str | None:
        """The key itself, if one was given."""
        return secret(self.key, self.key_file)


def load_dashboard_settings() -> DashboardSettings:
    """The settings of this process; StoreUnavailable when they are wrong."""
    return from_environment(DashboardSettings)
