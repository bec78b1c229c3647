"""How warehouse and records reach PostgreSQL (`MARKETING_POSTGRES_…`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from marketing_platform.stores.credentials import secret
from marketing_platform.stores.server_settings import ServerSettings


class PostgresSettings(ServerSettings):
    """Endpoint, credentials, deadlines and how many connections one process may hold."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_POSTGRES_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Host name, or the folder of a Unix socket.")
    port: int = Field(5432, ge=1, le=65535)
    database: str = Field("marketing", description="A database whose encoding is UTF8.")
    namespace: str = Field(
        "warehouse",
        pattern=r"^[a-z][a-z0-9_]{0,40}$",
        description="The PostgreSQL schema of the tables; ledger and releases are in `<it>_records`.",
    )
    user: str = Field("marketing", description="A role that may create these schemas and tables in them.")
    password: SecretStr | None = Field(None, description="Left out where the server asks for none.")
    password_file: Path | None = Field(None, description="A file with the password, instead of it.")
    tls: bool = Field(True, description="Encrypt, and verify the server's certificate and name.")
    ca_file: Path | None = Field(None, description="Whom to trust; the system's authorities unless given.")
    connect_seconds: float = Field(
        3.0, gt=0, description="To get a connection, waiting for a free one included."
    )
    read_seconds: float = Field(30.0, gt=0, description="For a query, and for each chunk of a stream.")
    write_seconds: float = Field(600.0, gt=0, description="For each statement that stores rows.")
    pool_size: int = Field(8, ge=1, le=200, description="Connections of one process.")

    @property
    def where(self) -> str:
        """The endpoint as messages name it."""
        return f"PostgreSQL at {self.host}:{self.port}/{self.database}"

    def connection(self) -> dict[str, str | int]:
        """What libpq is given; the session options make results equal on every server."""
        given: dict[str, str | int | None] = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": secret(self.password, self.password_file),
            "sslmode": "verify-full" if self.tls else "disable",
            "sslrootcert": (str(self.ca_file) if self.ca_file else "system") if self.tls else None,
            # libpq counts whole seconds and takes 1 for 2.
            "connect_timeout": max(2, round(self.connect_seconds)),
            "tcp_user_timeout": round(self.write_seconds * 1000),
            "client_encoding": "UTF8",
            "application_name": "marketing-platform",
            # Days are UTC days; rows come in the order they were stored in; short queries are not compiled.
            "options": "-c timezone=UTC -c synchronize_seqscans=off -c jit=off",
        }
        return {name: value for name, value in given.items() if value is not None}
