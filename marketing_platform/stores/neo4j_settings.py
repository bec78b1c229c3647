"""How Neo4j is reached: `MARKETING_NEO4J_…`, every deadline among it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from marketing_platform.stores.credentials import secret
from marketing_platform.stores.server_settings import ServerSettings


class Neo4jSettings(ServerSettings):
    """One Neo4j database."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_NEO4J_", extra="ignore", frozen=True)
    address_field = "uri"

    uri: str = Field(
        "bolt://127.0.0.1:7687",
        pattern=r"^(bolt|neo4j)://",
        description="`bolt://` for one server, `neo4j://` for a cluster; TLS is a switch of its own.",
    )
    tls: bool = Field(True, description="Encrypt, and verify the server's certificate and name.")
    ca_file: Path | None = Field(
        None, description="PEM file of the authorities to trust; those of the system unless given."
    )
    user: str = Field("neo4j", description="Used when there is a password.")
    password: SecretStr | None = Field(None, description="Left out where the server asks for none.")
    password_file: Path | None = Field(None, description="A file with the password, instead of it.")
    database: str = Field("neo4j", description="The database everything is kept in.")
    pool_size: int = Field(20, ge=1, description="Connections per reader or writer; the driver's own: 100.")
    connect_seconds: float = Field(3.0, gt=0, description="To open a connection; the driver's own: 30.")
    acquire_seconds: float = Field(
        4.0, gt=0, description="To get a connection, opening it included; the driver's own: 60."
    )
    read_seconds: float = Field(
        5.0, gt=0, description="For a reader's question, retries included; the driver's own: none."
    )
    write_seconds: float = Field(
        120.0, gt=0, description="For one batch or constraint, retries included; the driver's own: none."
    )
    retry_seconds: float = Field(
        30.0, ge=0, description="How long a batch is tried again after transient errors."
    )
    batch_rows: int = Field(10_000, ge=1, le=100_000, description="Rows per transaction.")
    keep_dropped_seconds: float = Field(
        900.0,
        ge=0,
        description="A dropped graph stays so long for readers that have it open; also how long a "
        "writer may be silent before its unfinished graph is removed.",
    )

    @property
    def where(self) -> str:
        """The endpoint as messages name it."""
        return f"Neo4j at {self.uri} (database {self.database})"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password, or None where the server asks for none."""
        password = secret(self.password, self.password_file)
        return None if password is None else (self.user, password)
