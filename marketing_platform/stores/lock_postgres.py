"""A lock that processes of several machines share, on PostgreSQL.

The lock belongs to a session of its own and goes with it: when the process ends, however it ends,
or when its machine has been silent for half a minute. So it needs a direct connection: a pooler
that gives one session to several clients (PgBouncer in transaction mode) would break it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import closing, contextmanager

import psycopg
from psycopg import RawCursor

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.postgres_parts import statement
from marketing_platform.stores.postgres_sessions import Connection, Transaction
from marketing_platform.stores.postgres_settings import PostgresSettings
from marketing_platform.stores.records_postgres import lock_key, records_namespace

_IDLE, _INTERVAL, _COUNT = 10, 5, 4  # seconds without a word, between probes; unanswered probes
_HOLDER = "marketing-platform writer: "
# The server forgets a silent client, the client a silent server, and no idle session is ended.
_SESSION = (
    f" -c tcp_keepalives_idle={_IDLE} -c tcp_keepalives_interval={_INTERVAL} -c tcp_keepalives_count={_COUNT}"
    " -c idle_session_timeout=0"
)
_HOLDERS = """
SELECT DISTINCT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND datname = current_database()
  AND classid::bigint = ($1::bigint >> 32) & 4294967295 AND objid::bigint = $1::bigint & 4294967295
ORDER BY 1"""


class PostgresLockSession:
    """One process's claim on the lock."""

    def __init__(self, connection: Connection, key: int, settings: PostgresSettings) -> None:
        self._connection = connection
        self._key = key
        self._settings = settings

    def take(self, *, shared: bool, wait_seconds: float) -> bool:
        """Take the lock, with others that share it or alone; False when it is not free in time.

        Whoever waits is served in turn: sharers that come later do not overtake one who waits to be
        alone.
        """
        mode = "_shared" if shared else ""
        with self._reached(wait_seconds):
            if wait_seconds <= 0:
                query = statement(f"SELECT pg_try_advisory_lock{mode}($1)")
                taken = self._connection.execute(query, [self._key]).fetchone()
                return bool(taken and taken[0])
            self._connection.execute(statement(f"SET lock_timeout = {max(1, round(wait_seconds * 1000))}"))
            try:
                self._connection.execute(statement(f"SELECT pg_advisory_lock{mode}($1)"), [self._key])
            except psycopg.errors.LockNotAvailable:
                return False
            return True

    def holder(self) -> str:
        """Who has the lock: process ids and hosts."""
        with self._reached():
            rows = self._connection.execute(_HOLDERS, [self._key]).fetchall()
        return ", ".join(str(name).removeprefix(_HOLDER) for (name,) in rows) or "unknown"

    def confirm(self) -> None:
        """StoreUnavailable when the session, and with it the lock, was lost since it was taken."""
        with self._reached():
            self._connection.execute("SELECT 1")

    @contextmanager
    def _reached(self, wait_seconds: float = 0) -> Generator[None]:
        try:
            # A server that stands still keeps its connections alive: only a clock of our own ends that.
            with Transaction(self._connection, wait_seconds + self._settings.read_seconds).deadline():
                yield
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise _unavailable(self._settings, error) from error


@contextmanager
def postgres_lock(settings: PostgresSettings) -> Generator[PostgresLockSession]:
    """A session that can take the writer lock of this installation; the lock goes with the block."""
    given = settings.connection()
    given |= {
        "application_name": f"{_HOLDER}{os.getpid()} on {socket.gethostname()}"[:63],
        "options": f"{given['options']}{_SESSION}",
        "keepalives_idle": _IDLE,
        "keepalives_interval": _INTERVAL,
        "keepalives_count": _COUNT,
        # What is sent must be acknowledged as soon as what is not.
        "tcp_user_timeout": (_IDLE + _INTERVAL * _COUNT) * 1000,
    }
    try:
        connection: Connection = psycopg.connect(
            **given,  # pyright: ignore[reportArgumentType] -- libpq's own keywords
            autocommit=True,
            prepare_threshold=None,
            cursor_factory=RawCursor,
        )
    except psycopg.OperationalError as error:
        raise _unavailable(settings, error) from error
    with closing(connection):
        key = lock_key(f"{records_namespace(settings)}.writer")
        yield PostgresLockSession(connection, key, settings)


def _unavailable(settings: PostgresSettings, error: Exception) -> StoreUnavailable:
    cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return StoreUnavailable(
        f"{settings.where} does not answer: {cause}. Who writes must hold its lock there; see that the"
        " server runs and the MARKETING_POSTGRES_ settings are right, then run again"
    )
