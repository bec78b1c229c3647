"""How much a client, a request and this process may take (`MARKETING_LIMIT_…`)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LimitSettings(BaseSettings):
    """Every cap of the API. Seconds and bytes; counts are of one process unless something else is said."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_LIMIT_", extra="ignore", frozen=True)

    burst: int = Field(50, ge=1, description="Requests of one key or user per second.")
    sustained: int = Field(3000, ge=1, description="Requests of one key or user per minute.")
    anonymous_burst: int = Field(20, ge=1, description="Requests per second of one address without a key.")
    anonymous_sustained: int = Field(
        600, ge=1, description="Requests per minute of one address without a key."
    )
    share_seconds: float = Field(
        0.1, gt=0, le=1, description="How often processes tell each other through Redis what they counted."
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description='Addresses and networks, as JSON (`["10.0.0.0/8"]`), whose X-Forwarded-For is believed.',
    )
    body_bytes: int = Field(1 << 20, ge=1, description="The longest body.")
    bulk_bytes: int = Field(256 << 20, ge=1, description="The longest body where records are streamed.")
    target_bytes: int = Field(8 << 10, ge=256, description="The longest path with its query.")
    header_bytes: int = Field(32 << 10, ge=1 << 10, description="All headers together.")
    headers: int = Field(64, ge=8, description="How many headers.")
    header_seconds: float = Field(10.0, gt=0, description="To send the head of a request.")
    body_seconds: float = Field(30.0, gt=0, description="To send a body.")
    bulk_seconds: float = Field(600.0, gt=0, description="To send a body where records are streamed.")
    request_seconds: float = Field(
        30.0, gt=0, description="For an answer, beside the time its body takes to arrive."
    )
    idle_seconds: int = Field(5, ge=1, description="How long a connection may stay open between requests.")
    connections: int = Field(
        10_000, ge=16, description="Connections; of more, those that wait for a request longest are closed."
    )
    at_once: int = Field(256, ge=1, description="Requests being answered; more are told to come back.")
    wait_seconds: float = Field(
        0.5,
        gt=0,
        description="Requests that wait longer for their turn, for as long, are told to come back.",
    )
