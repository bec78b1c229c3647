"""How the warehouse reaches BigQuery (`MARKETING_BIGQUERY_…`).

Rows travel through Cloud Storage; how that is reached is said by `gcs_settings.py`.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class BigQuerySettings(BaseSettings):
    """Project and dataset, who asks, how long anything may take and how much a query may read."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_BIGQUERY_", extra="ignore", frozen=True)

    project: str = Field(
        pattern=r"^[a-z][a-z0-9-]{4,62}$", description="The project that holds the dataset and pays."
    )
    dataset: str = Field(
        "marketing",
        pattern=r"^[A-Za-z0-9_]{1,100}$",
        description="A dataset of its own, made when missing: what else it holds may be taken for a part.",
    )
    location: str = Field(
        "EU", min_length=2, description="Where the dataset lies; the staging bucket must lie there too."
    )
    staging_bucket: str | None = Field(
        None, min_length=3, description="The bucket rows pass through; that of kept objects unless given."
    )
    staging_prefix: str = Field(
        "staging/",
        pattern=r"^[^/].*/$",
        description="Below it rows lie until they are loaded; let a lifecycle rule delete there after a day.",
    )
    credentials_file: Path | None = Field(
        None,
        description="Key file of a service account; without it the application default credentials are used.",
    )
    endpoint: str | None = Field(
        None, description="Another address of the same API. On loopback nobody is asked who they are."
    )
    connect_seconds: float = Field(3.0, gt=0, description="To connect, and to get an access token.")
    request_seconds: float = Field(30.0, gt=0, description="For the answer to one request.")
    retry_seconds: float = Field(20.0, gt=0, description="For how long one request is tried again.")
    read_seconds: float = Field(60.0, gt=0, description="For a query whose rows are read.")
    write_seconds: float = Field(600.0, gt=0, description="For each load job and statement that stores rows.")
    maximum_bytes_billed: int = Field(
        100 << 30, gt=0, description="A statement that would read more is refused and costs nothing."
    )

    @model_validator(mode="after")
    def _credentials_travel_encrypted(self) -> BigQuerySettings:
        if self.endpoint and not self.anonymous and urlsplit(self.endpoint).scheme != "https":
            raise ValueError(f"endpoint {self.endpoint!r} must begin with https://, or lead to loopback")
        return self

    @property
    def anonymous(self) -> bool:
        """Whether there is nobody to tell credentials to: an emulator on this machine."""
        if self.endpoint is None or self.credentials_file is not None:
            return False
        host = urlsplit(self.endpoint).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def where(self) -> str:
        """The dataset as messages name it."""
        return f"BigQuery ({self.project}.{self.dataset}{f' at {self.endpoint}' if self.endpoint else ''})"
