"""Where Dagster keeps runs, events and schedules in the `servers` profile: PostgreSQL.

The server, its credentials and its deadlines are those of the warehouse (`MARKETING_POSTGRES_…`), so
that nothing has to be said twice and no secret stands in a file of Dagster's; the tables live in a
schema of their own, `<namespace>_dagster`. Named by `dagster.servers.yaml`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import InterfaceError, OperationalError

from marketing_platform.errors import MarketingPlatformError, StoreUnavailable
from marketing_platform.stores.postgres_schema import create_schema
from marketing_platform.stores.postgres_settings import PostgresSettings
from marketing_platform.stores.registry import from_environment


class SharedStorage(DagsterPostgresStorage):
    """Dagster's own PostgreSQL storage, told by our settings where it is."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing is configured in the file: everything comes from the environment."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> SharedStorage:
        """Open the storage; StoreUnavailable when the server does not answer."""
        settings = from_environment(PostgresSettings)
        schema = schema_of(settings)
        create_schema(settings, schema)
        return cls(storage_url(settings, schema), inst_data=inst_data)


def schema_of(settings: PostgresSettings) -> str:
    """The PostgreSQL schema of Dagster's tables."""
    return f"{settings.namespace}_dagster"


def storage_url(settings: PostgresSettings, schema: str) -> str:
    """Where SQLAlchemy connects; holds the password, so it is never logged.

    The driver is named: Dagster's `NOTIFY` takes its parameter from psycopg 2, not from psycopg 3, which
    SQLAlchemy 2.1 would choose.
    """
    given = settings.connection()
    user = ":".join(quote(str(given[name]), safe="") for name in ("user", "password") if name in given)
    milliseconds = round(settings.write_seconds * 1000)
    options = {
        "host": given["host"],
        "port": given["port"],
        **{name: given[name] for name in ("sslmode", "sslrootcert", "connect_timeout") if name in given},
        "tcp_user_timeout": given["tcp_user_timeout"],
        "application_name": "marketing-platform dagster",
        "options": f"-c search_path={schema} -c timezone=UTC -c statement_timeout={milliseconds}",
    }
    database = quote(str(given["dbname"]), safe="")
    return f"postgresql+psycopg2://{user}@/{database}?{urlencode(options, quote_via=quote)}"


@contextmanager
def reaching_storage() -> Generator[None]:
    """What Dagster raises in the block because the server went away becomes StoreUnavailable."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MarketingPlatformError) or not _went_away(error):
            raise
        settings = from_environment(PostgresSettings)
        raise StoreUnavailable(
            f"{settings.where}, where Dagster keeps runs and events, went away. What was released before goes"
            " on serving; see that the server runs and the MARKETING_POSTGRES_ settings are right, then run"
            " again"
        ) from error


def _went_away(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, DagsterPostgresException | OperationalError | InterfaceError):
            return True
        error = error.__cause__ or error.__context__
    return False
