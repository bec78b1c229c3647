"""A PostgreSQL schema for those who bring their own tables (Dagster)."""

from __future__ import annotations

from psycopg import sql

from marketing_platform.stores.postgres_sessions import PostgresSessions
from marketing_platform.stores.postgres_settings import PostgresSettings


def create_schema(settings: PostgresSettings, name: str) -> None:
    """Make the schema unless it is there; StoreUnavailable when the server does not answer."""
    sessions = PostgresSessions(settings)
    try:
        with sessions.writing() as transaction, transaction.deadline() as connection:
            # `IF NOT EXISTS` alone fails when two processes ask at the same moment.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", [name])
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))
    finally:
        sessions.close()
