"""How the landing zone and reports reach Google Cloud Storage (`MARKETING_GCS_…`)."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _folder(prefix: str) -> str:
    """`a/b/` for `a/b`, `/a/b` and `a/b/`; nothing for the whole bucket."""
    return f"{bare}/" if (bare := prefix.strip("/")) else ""


Prefix = Annotated[str, AfterValidator(_folder)]


class GcsSettings(BaseSettings):
    """Buckets, what is taken from them, who asks, and how long anything may take."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_GCS_", extra="ignore", frozen=True)

    bucket: str = Field(min_length=3, description="The bucket in which others land their objects.")
    prefix: Prefix = Field("landing/", description="Only what lies below it is looked at.")
    names: str = Field(
        "*",
        min_length=1,
        description="Which names below the prefix are taken: globs with commas between; `*` matches `/` too. "
        "What our own consumer lands in `stream/` always is.",
    )
    kept_bucket: str | None = Field(
        None, min_length=3, description="The bucket of kept versions and reports; `bucket` unless given."
    )
    kept_prefix: Prefix = Field(
        "kept/",
        description="Below it every version that was taken is kept; no lifecycle rule may delete there.",
    )
    reports_prefix: Prefix = Field("reports/", description="Below it lie the reports.")
    credentials_file: Path | None = Field(
        None,
        description="Key file of a service account; without it the application default credentials are used.",
    )
    endpoint: str | None = Field(
        None, description="Another address of the same API. On loopback nobody is asked who they are."
    )
    emulator: str | None = Field(
        None,
        validation_alias="STORAGE_EMULATOR_HOST",
        description="As Google's clients know it: an emulator, which is told no credentials.",
    )
    connect_seconds: float = Field(3.0, gt=0, description="To connect, and to get an access token.")
    read_seconds: float = Field(15.0, gt=0, description="Without one byte of an answer.")
    retry_seconds: float = Field(
        20.0, gt=0, description="For how long a request, or a portion of an object, is tried again."
    )
    portion_bytes: int = Field(
        8 << 20,
        ge=1 << 18,
        le=1 << 28,
        multiple_of=1 << 18,
        description="What one request reads or writes of an object, and is held in memory.",
    )
    page_size: int = Field(1000, ge=1, le=1000, description="Objects per request while listing.")
    pool_size: int = Field(10, ge=1, le=200, description="Connections of one process that are kept open.")

    @model_validator(mode="after")
    def _nothing_kept_is_landed(self) -> GcsSettings:
        for name, prefix in (("kept_prefix", self.kept_prefix), ("reports_prefix", self.reports_prefix)):
            overlap = prefix.startswith(self.prefix) or self.prefix.startswith(prefix)
            if overlap and self.bucket == self.keeping:
                raise ValueError(
                    f"{name} {prefix!r} and prefix {self.prefix!r} overlap in one bucket: what is kept would"
                    " be taken as landed; give other prefixes, or another kept_bucket"
                )
        return self

    @model_validator(mode="after")
    def _credentials_travel_encrypted(self) -> GcsSettings:
        if self.endpoint and not self.endpoint.startswith("https://") and not _on_loopback(self.endpoint):
            raise ValueError(f"endpoint {self.endpoint!r} must begin with https://, or lead to loopback")
        return self

    @property
    def keeping(self) -> str:
        """The bucket of kept versions and reports."""
        return self.kept_bucket or self.bucket

    @property
    def address(self) -> str | None:
        """Where the API is, unless it is Google's own."""
        return self.endpoint or self.emulator

    @property
    def anonymous(self) -> bool:
        """Whether there is nobody to tell credentials to."""
        if self.credentials_file is not None:
            return False
        return _on_loopback(self.endpoint) if self.endpoint else self.emulator is not None

    @property
    def where(self) -> str:
        """The buckets as messages name them."""
        buckets = " and ".join(f"gs://{name}" for name in sorted({self.bucket, self.keeping}))
        return f"Cloud Storage ({buckets}{f' at {self.address}' if self.address else ''})"


def _on_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
