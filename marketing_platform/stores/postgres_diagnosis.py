"""Whether PostgreSQL is ready for the tables, the records and Dagster's storage."""

from __future__ import annotations

from marketing_platform.stores.diagnosis import Found, timed, too_old
from marketing_platform.stores.postgres_sessions import PostgresSessions
from marketing_platform.stores.postgres_settings import PostgresSettings

_OLDEST = (14,)
_STATE = """
SELECT current_setting('server_version'), current_setting('server_encoding'),
       has_database_privilege(current_database(), 'CREATE'),
       coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1), false)
"""


def diagnose(settings: PostgresSettings) -> Found:
    """Connect, and see version, encoding and rights; StoreUnavailable when there is no way in."""
    sessions = PostgresSessions(settings)
    try:
        with sessions.reading() as transaction, transaction.deadline() as connection:
            _, milliseconds = timed(lambda: connection.execute("SELECT 1"))
            (row,) = connection.execute(_STATE, [settings.namespace]).fetchall()
    finally:
        sessions.close()
    version, encoding, creates_schemas, owns_schema = row
    missing = list(too_old(str(version), _OLDEST, "MARKETING_POSTGRES_HOST"))
    if encoding != "UTF8":
        missing.append(
            f"the encoding is {encoding}, not UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    if not creates_schemas and not owns_schema:
        missing.append(f"no right to store: GRANT CREATE ON DATABASE {settings.database} TO {settings.user}")
    return Found(str(version), milliseconds, tuple(missing))
