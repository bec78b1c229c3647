"""Transactions on PostgreSQL that end within their deadline, whatever the server does.

The server's own `statement_timeout` cannot help when the server or the network stands still, so
a timer cuts the connection. Connections are kept and given again, last used first. A pool that
connects in the background would turn "password refused" into "no connection in time", so that
this one connects in the caller's turn, and fails at once with the cause.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg
from psycopg import RawCursor

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.postgres_settings import PostgresSettings

Connection = psycopg.Connection[tuple[object, ...]]

_READ: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_WRITE: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED"


class Transaction:
    """One transaction; each block of `deadline` must end in time."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.connection = connection
        self._seconds = seconds

    @contextmanager
    def deadline(self) -> Generator[Connection]:
        """The connection, cut when the block takes longer than the transaction's deadline."""
        with _deadline(self.connection, self._seconds):
            yield self.connection


class PostgresSessions:
    """The connections of one process to one database; none is made before it is needed."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._idle: deque[Connection] = deque()
        self._free = threading.BoundedSemaphore(settings.pool_size)

    @contextmanager
    def reading(self) -> Generator[Transaction]:
        """A transaction that sees one state of all tables."""
        with self._transaction(_READ, self._settings.read_seconds) as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Generator[Transaction]:
        """A transaction that is committed when the block ends well."""
        with self._transaction(_WRITE, self._settings.write_seconds) as transaction:
            yield transaction

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _transaction(self, begin: LiteralString, seconds: float) -> Generator[Transaction]:
        try:
            with self._connected(begin, seconds) as connection:
                transaction = Transaction(connection, seconds)
                yield transaction
                with transaction.deadline():
                    connection.execute("COMMIT")
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self._unavailable(error) from error

    @contextmanager
    def _connected(self, begin: LiteralString, seconds: float) -> Generator[Connection]:
        if not self._free.acquire(timeout=self._settings.connect_seconds):
            raise StoreUnavailable(
                f"{self._settings.where}: all {self._settings.pool_size} connections of this process were"
                f" in use for {self._settings.connect_seconds:g} s; raise MARKETING_POSTGRES_POOL_SIZE or ask"
                " less at once"
            )
        connection: Connection | None = None
        try:
            connection = self._begun(begin, seconds)
            yield connection
        finally:
            try:
                if connection is not None:
                    self._give_back(connection)
            finally:
                self._free.release()

    def _begun(self, begin: LiteralString, seconds: float) -> Connection:
        """A connection in a new transaction; those that broke while idle are thrown away."""
        statement = f"{begin}; SET LOCAL statement_timeout = {round(seconds * 1000)}"
        ends = time.monotonic() + self._settings.connect_seconds
        while True:
            try:
                connection, fresh = self._idle.pop(), False
            except IndexError:
                connection, fresh = self._connect(), True
            try:
                with _deadline(connection, max(ends - time.monotonic(), 0.05)):
                    connection.execute(statement.encode())
                return connection
            except (psycopg.OperationalError, psycopg.InterfaceError):
                connection.close()
                if fresh or time.monotonic() >= ends:
                    raise

    def _connect(self) -> Connection:
        return psycopg.connect(
            **self._settings.connection(),  # pyright: ignore[reportArgumentType] -- libpq's own keywords
            autocommit=True,
            prepare_threshold=None,  # a prepared "SELECT *" would outlive the staging table it was made for
            cursor_factory=RawCursor,
        )

    def _give_back(self, connection: Connection) -> None:
        """Keep the connection for the next caller, outside any transaction, or close it."""
        with suppress(psycopg.Error):
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                with _deadline(connection, self._settings.connect_seconds):
                    connection.execute("ROLLBACK")
            if not connection.closed:
                self._idle.append(connection)
                return
        connection.close()

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return StoreUnavailable(
            f"{self._settings.where} does not answer: {cause}. Nothing half-written is visible; see that the"
            " server runs and the MARKETING_POSTGRES_ settings are right, then run again"
        )


@contextmanager
def _deadline(connection: Connection, seconds: float) -> Generator[None]:
    timer = threading.Timer(seconds, _cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: Connection) -> None:
    """Break the connection from outside, so that whoever waits for its answer gets an error."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
