"""The records' database in a schema of PostgreSQL, which several machines share.

The schema is named after the warehouse's (`warehouse_records` beside `warehouse`), so that two
installations in one database cannot share the one and not the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.postgres_parts import quoted, statement
from marketing_platform.stores.postgres_sessions import Connection, PostgresSessions, Transaction
from marketing_platform.stores.postgres_settings import PostgresSettings
from marketing_platform.stores.records import COUNTER, Execute, Tables

_COUNTER = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
_CONNECTIONS = 4  # of one process; a transaction takes milliseconds


def records_namespace(settings: PostgresSettings) -> str:
    """The PostgreSQL schema of the records."""
    return f"{settings.namespace}_records"


def lock_key(name: str) -> int:
    """The number of an advisory lock: 64 bits with sign."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


class PostgresRecords:
    """Implements `RecordsDatabase`; every statement ends within the settings' `read_seconds`."""

    def __init__(self, settings: PostgresSettings, tables: Tables) -> None:
        small = {"write_seconds": settings.read_seconds, "pool_size": min(settings.pool_size, _CONNECTIONS)}
        self._settings = settings
        self._sessions = PostgresSessions(settings.model_copy(update=small))
        self._namespace = records_namespace(settings)
        self._tables = tables
        self._prepared = False

    @contextmanager
    def reading(self) -> Generator[Execute]:
        """A transaction that sees one state."""
        with self._permitted():
            self._prepare()
            with self._sessions.reading() as transaction:
                yield self._begun(transaction)

    @contextmanager
    def writing(self) -> Generator[Execute]:
        """A transaction that excludes other writers, of all machines, from its beginning on."""
        with self._permitted():
            self._prepare()
            with self._sessions.writing() as transaction:
                execute = self._begun(transaction)
                with transaction.deadline() as connection:
                    self._exclude_others(connection)
                yield execute

    def close(self) -> None:
        """Close the connections."""
        self._sessions.close()

    def _begun(self, transaction: Transaction) -> Execute:
        with transaction.deadline() as connection:
            connection.execute(statement(f"SET LOCAL search_path = {quoted(self._namespace)}"))

        def execute(sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
            with transaction.deadline() as connection:
                cursor = connection.execute(sql, values)
                return cursor.fetchall() if cursor.description else []

        return execute

    def _exclude_others(self, connection: Connection) -> None:
        # A machine that froze in the middle of a transaction keeps the others waiting only so long.
        seconds = round(self._settings.read_seconds / 2 * 1000)
        connection.execute(statement(f"SET LOCAL idle_in_transaction_session_timeout = {seconds}"))
        connection.execute("SELECT pg_advisory_xact_lock($1)", [lock_key(self._namespace)])

    def _prepare(self) -> None:
        """Make the tables where there are none; a role that may not make any needs to find them all."""
        if self._prepared:
            return
        with self._sessions.writing() as transaction, transaction.deadline() as connection:
            if self._missing(connection):
                self._exclude_others(connection)
                self._create(connection)
        self._prepared = True

    def _create(self, connection: Connection) -> None:
        # Asked of the table itself: what the server remembers of a name may be older than the lock.
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", [self._namespace])
        if found.fetchone() is None:
            connection.execute(statement(f"CREATE SCHEMA {quoted(self._namespace)}"))
        connection.execute(statement(f"SET LOCAL search_path = {quoted(self._namespace)}"))
        for name in self._missing(connection):
            connection.execute(statement(self._tables[name].replace(COUNTER, _COUNTER)))

    def _missing(self, connection: Connection) -> list[str]:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = $1", [self._namespace])
        there = {row[0] for row in found.fetchall()}
        return [name for name in self._tables if name not in there]

    @contextmanager
    def _permitted(self) -> Generator[None]:
        try:
            yield
        # A table in a schema that the role may not use is told of as one that does not exist.
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable) as error:
            self._prepared = False
            raise StoreUnavailable(
                f"{self._settings.where}: the role {self._settings.user!r} may not do what the records need:"
                f" {str(error).splitlines()[0]}. Grant it CREATE on the database {self._settings.database!r},"
                f" or make it the owner of the schema {self._namespace!r} and its tables; a role that only"
                " reads needs USAGE on the schema and SELECT on its tables, once another has made them"
            ) from error
