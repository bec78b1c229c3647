"""How the cache of answers reaches Redis (`MARKETING_REDIS_…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict
from redis import SSLConnection

from marketing_platform.stores.credentials import secret
from marketing_platform.stores.server_settings import ServerSettings


class RedisSettings(ServerSettings):
    """Endpoint, credentials, and how little patience a cache deserves."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_REDIS_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1")
    port: int = Field(6379, ge=1, le=65535)
    number: int = Field(0, ge=0, description="Which of the server's databases.")
    user: str | None = Field(None, description="Left out where the server asks for none.")
    password: SecretStr | None = Field(None)
    password_file: Path | None = Field(None, description="A file with the password, instead of it.")
    tls: bool = Field(True, description="Encrypt, and verify the server's certificate and name.")
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    connect_seconds: float = Field(0.1, gt=0, description="To connect.")
    answer_seconds: float = Field(0.05, gt=0, description="For one command; slower than that is no cache.")
    pool_size: int = Field(40, ge=1, le=1000, description="Connections of one process.")
    ttl_seconds: float = Field(3600.0, ge=1, description="How long an answer is kept.")
    unknown_ttl_seconds: float = Field(
        60.0, ge=1, description="How long it is kept that a key has no answer."
    )
    pause_seconds: float = Field(
        2.0, ge=0, description="How long Redis is not asked after it failed; then one look-up tries again."
    )

    @property
    def where(self) -> str:
        """The endpoint as messages name it."""
        return f"Redis at {self.host}:{self.port}/{self.number}"

    def pool(self) -> dict[str, Any]:
        """What the client's connections are given; its own defaults wait for half a minute and more."""
        given: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "db": self.number,
            "username": self.user,
            "password": secret(self.password, self.password_file),
            "socket_connect_timeout": self.connect_seconds,
            "socket_timeout": self.answer_seconds,
            "max_connections": self.pool_size,
            "timeout": self.answer_seconds,  # to get a connection when all are in use
        }
        if self.tls:
            given["connection_class"] = SSLConnection
            given["ssl_ca_certs"] = str(self.ca_file) if self.ca_file else None
        return {name: value for name, value in given.items() if value is not None}
