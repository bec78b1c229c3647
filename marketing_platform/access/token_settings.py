"""Whose tokens are taken beside API keys (`MARKETING_JWT_…`); without any of these, nobody's."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from marketing_platform.stores.credentials import on_loopback, secret
from marketing_platform.stores.server_settings import ServerSettings

_SHORTEST = 32  # characters: RFC 7518, section 3.2 asks for a key as long as the hash


class TokenSettings(ServerSettings):
    """Who issues tokens, for whom, and how they are verified: by one of a secret, a file, or a URL of keys.

    The kind of key decides the algorithm, whatever a token says of itself: HS256 with the secret, RS256
    or ES256 with the keys.
    """

    model_config = SettingsConfigDict(env_prefix="MARKETING_JWT_", extra="ignore", frozen=True)
    address_field = "issued_on"

    issuer: str | None = Field(None, min_length=1, description="What `iss` has to be.")
    audience: str | None = Field(None, min_length=1, description="What `aud` has to be, or to hold.")
    secret: SecretStr | None = Field(
        None, description=f"Shared with the issuer (HS256), {_SHORTEST} characters or more."
    )
    secret_file: Path | None = Field(None, description="A file with the secret, instead of it.")
    jwks_file: Path | None = Field(None, description="The issuer's public keys (RS256, ES256), as a JWKS.")
    jwks_url: str | None = Field(
        None, pattern=r"^https?://", description="Where the issuer publishes them; HTTPS save on loopback."
    )
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    jwks_seconds: float = Field(
        300.0, ge=1, le=86_400, description="How long keys are used before they are read again."
    )
    answer_seconds: float = Field(3.0, gt=0, le=60, description="For reading them, everything included.")
    leeway_seconds: float = Field(
        30.0, ge=0, le=300, description="How far the issuer's clock may be off, for `exp`, `nbf` and `iat`."
    )

    @property
    def issued_on(self) -> None:
        """Nowhere that could excuse a secret that everybody knows."""

    @model_validator(mode="after")
    def _require_whole(self) -> Self:
        kinds = [self.shared_secret, self.jwks_file, self.jwks_url]
        given = [kind for kind in kinds if kind is not None]
        if not given and self.issuer is None and self.audience is None:
            return self
        if len(given) != 1:
            raise ValueError(
                "give exactly one of MARKETING_JWT_SECRET (or …_FILE), MARKETING_JWT_JWKS_FILE and"
                " MARKETING_JWT_JWKS_URL: the kind of key decides the algorithm"
            )
        if self.issuer is None or self.audience is None:
            raise ValueError(
                "MARKETING_JWT_ISSUER and MARKETING_JWT_AUDIENCE are needed: without them a token made for"
                " somebody else would be taken"
            )
        if self.shared_secret is not None and len(self.shared_secret) < _SHORTEST:
            raise ValueError(f"MARKETING_JWT_SECRET is shorter than {_SHORTEST} characters")
        if self.jwks_url is not None and self.jwks_url.startswith("http:") and not on_loopback(self.jwks_url):
            raise ValueError("MARKETING_JWT_JWKS_URL is not HTTPS: whoever is in between could give keys")
        return self

    @property
    def shared_secret(self) -> str | None:
        """The shared secret itself, if one was given."""
        return secret(self.secret, self.secret_file)

    @property
    def on(self) -> bool:
        """Whether tokens are taken at all."""
        return self.issuer is not None
