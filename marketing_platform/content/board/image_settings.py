"""How images of boards are fetched (`MARKETING_IMAGES_…`); which there are is in `boards/images.yaml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ImageSettings(BaseSettings):
    """Caps and deadlines."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_IMAGES_", extra="ignore", frozen=True)

    internal_hosts: tuple[str, ...] = Field(
        (),
        description='Hosts, as JSON (`["images.internal:8080"]`, with a port or for all of them), that may be'
        " asked without TLS and may have internal addresses; `boards/images.yaml` has to name them too.",
    )
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    max_bytes: int = Field(8_000_000, ge=1_000, description="A larger file is not taken.")
    max_pixels: int = Field(40_000_000, ge=1_000, description="Nor is an image of more pixels.")
    redirects: int = Field(3, ge=0, le=10, description="How many are followed, each judged anew.")
    connect_seconds: float = Field(5.0, gt=0, le=60, description="To connect, TLS included.")
    image_seconds: float = Field(15.0, gt=0, le=120, description="For one image, everything included.")
    all_seconds: float = Field(120.0, gt=0, le=3600, description="For all images of a release.")
    at_once: int = Field(4, ge=1, le=32, description="Images that are fetched at once.")
    keep_days: int = Field(7, ge=1, le=365, description="After which an image is fetched again.")
