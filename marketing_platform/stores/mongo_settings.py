"""How raw documents and answers reach MongoDB (`MARKETING_MONGO_…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from marketing_platform.stores.credentials import secret
from marketing_platform.stores.server_settings import ServerSettings


class MongoSettings(ServerSettings):
    """Endpoint, credentials, deadlines and how many connections one process may hold."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_MONGO_", extra="ignore", frozen=True)
    address_field = "hosts"

    hosts: str = Field("127.0.0.1:27017", description="`host:port`, several members with commas between.")
    replica_set: str | None = Field(None, description="Its name, where the server is one.")
    database: str = Field("marketing", pattern=r"^[A-Za-z0-9_-]{1,63}$")
    user: str | None = Field(None, description="Left out where the server asks for none.")
    password: SecretStr | None = Field(None)
    password_file: Path | None = Field(None, description="A file with the password, instead of it.")
    tls: bool = Field(True, description="Encrypt, and verify the server's certificate and name.")
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    connect_seconds: float = Field(3.0, gt=0, description="To find a server that answers.")
    read_seconds: float = Field(10.0, gt=0, description="For a look-up, and for each chunk of a stream.")
    write_seconds: float = Field(120.0, gt=0, description="For each chunk that is stored.")
    pool_size: int = Field(20, ge=1, le=500, description="Connections of one process.")
    retire_seconds: float = Field(
        3600.0, ge=0, description="How long dropped or replaced answers stay for readers that have them open."
    )

    @property
    def where(self) -> str:
        """The endpoint as messages name it."""
        return f"MongoDB at {self.hosts}/{self.database}"

    def client(self) -> dict[str, Any]:
        """What the client is given; every deadline is set, its own are half a minute and more."""
        connect = round(self.connect_seconds * 1000)
        given: dict[str, Any] = {
            "host": self.hosts.split(","),
            "replicaSet": self.replica_set,
            "username": self.user,
            "password": secret(self.password, self.password_file),
            "tls": self.tls,
            "tlsCAFile": str(self.ca_file) if self.ca_file and self.tls else None,
            "serverSelectionTimeoutMS": connect,
            "connectTimeoutMS": connect,
            "waitQueueTimeoutMS": connect,
            # Not timeoutMS, which would wait as long for a server to be there at all.
            "socketTimeoutMS": round(self.read_seconds * 1000),
            "retryReads": False,  # `MongoSession` repeats what is worth it, and nothing that took too long
            "maxPoolSize": self.pool_size,
            "heartbeatFrequencyMS": 2000,  # a server that came back is seen after two seconds, not ten
            "appname": "marketing-platform",
            "tz_aware": True,
            "connect": False,
        }
        return {name: value for name, value in given.items() if value is not None}
