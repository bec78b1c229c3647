"""How Milvus is reached: `MARKETING_MILVUS_…`, every deadline among it, and when vectors get an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from marketing_platform.stores.credentials import secret
from marketing_platform.stores.server_settings import ServerSettings

# gRPC shares connections to one address between all clients of a process, and with them the pause after a
# failed attempt. It grows to two minutes, in which a new client fails at once although the server is back.
_CHANNEL = {"grpc.use_local_subchannel_pool": 1}


class MilvusSettings(ServerSettings):
    """One Milvus database."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_MILVUS_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Host name of Milvus or its proxy.")
    port: int = Field(19530, ge=1, le=65535)
    tls: bool = Field(True, description="Encrypt, and verify the server's certificate and name.")
    ca_file: Path | None = Field(
        None, description="PEM file of the authority to trust; those of the system unless given."
    )
    user: str = Field("root", description="Used when there is a password.")
    password: SecretStr | None = Field(None, description="Left out where the server asks for none.")
    password_file: Path | None = Field(None, description="A file with the password, instead of it.")
    database: str = Field("default", description="The database everything is kept in.")
    connect_seconds: float = Field(3.0, gt=0, description="To open a connection; pymilvus' own: 10.")
    read_seconds: float = Field(
        5.0, gt=0, description="For one search, retries included; pymilvus' own: 75 tries."
    )
    write_seconds: float = Field(60.0, gt=0, description="For one batch, retries included.")
    build_seconds: float = Field(
        1_800.0, gt=0, description="For a collection to be flushed, indexed or loaded."
    )
    retry_seconds: float = Field(
        30.0, ge=0, description="How long writers try to connect to a server that is coming back."
    )
    index_from_rows: int = Field(
        50_000,
        ge=1,
        description="From so many vectors on a graph index (HNSW) answers, below it every "
        "vector is compared (FLAT), which is exact.",
    )
    keep_dropped_seconds: float = Field(
        900.0, ge=0, description="A dropped collection stays so long for readers that have it open."
    )

    @property
    def where(self) -> str:
        """The endpoint as messages name it."""
        return f"Milvus at {self.host}:{self.port}/{self.database}"

    def connection(self) -> dict[str, Any]:
        """What `MilvusClient` is given."""
        password = secret(self.password, self.password_file)
        given = {
            "uri": f"{'https' if self.tls else 'http'}://{self.host}:{self.port}",
            "token": None if password is None else f"{self.user}:{password}",
            "db_name": self.database,
            "timeout": self.connect_seconds,
            "server_pem_path": str(self.ca_file) if self.tls and self.ca_file else None,
            "grpc_options": _CHANNEL,
        }
        return {name: value for name, value in given.items() if value is not None}
