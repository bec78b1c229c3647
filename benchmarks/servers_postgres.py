"""Writing rows to PostgreSQL: the warehouse beside the bare client with the same rows.

The bare side takes the same way a careful script would: CSV of the same rows through COPY into a staging
table, then INSERT into a table with the same index, in one transaction. It counts nothing, keeps no
fingerprint, renews no statistics, and knows of no parts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow as pa

from benchmarks.pairs import Figures, timed_in_turns
from marketing_platform.catalog import table
from marketing_platform.stores.postgres_rows import sql_type, to_csv
from marketing_platform.stores.postgres_settings import PostgresSettings
from marketing_platform.stores.warehouse_postgres import PostgresWarehouse

_PART = "events__benchmark"
_BARE = "benchmark_events"
_SCHEMA = table("events").arrow_schema


def compare(settings: PostgresSettings, *, rows: int = 200_000, rounds: int = 2) -> Figures:
    """Write the same events with both, taking turns so that a busy machine slows both."""
    chunks = [_events(start, min(50_000, rows - start)) for start in range(0, rows, 50_000)]
    warehouse = PostgresWarehouse(settings)

    def ours() -> float:
        started = time.perf_counter()
        with warehouse.writer(_PART, _SCHEMA) as writer:
            for chunk in chunks:
                writer.add(chunk)
        took = time.perf_counter() - started
        warehouse.drop(_PART)
        return took

    figures = timed_in_turns(
        "warehouse",
        "rows into PostgreSQL",
        rows,
        ours=ours,
        theirs=lambda: _timed_bare(settings, chunks),
        rounds=rounds,
    )
    warehouse.close()
    return figures


def _events(start: int, rows: int) -> pa.Table:
    numbers = range(start, start + rows)
    values = {
        "event_id": [f"event-{n:09d}" for n in numbers],
        "user_id": [f"user-{n % 5000:06d}" for n in numbers],
        "campaign_id": [f"campaign-{n % 40:03d}" for n in numbers],
        "event_type": [("message", "view", "click")[n % 3] for n in numbers],
        "timestamp": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in numbers],
        "channel": ["email"] * rows,
        "message": [("Where is my order? It was due last week.", None, None)[n % 3] for n in numbers],
        "batch_id": ["events.csv@1"] * rows,
        "row_ordinal": list(numbers),
    }
    return pa.table([pa.array(values.get(f.name, [None] * rows), f.type) for f in _SCHEMA], schema=_SCHEMA)


def _timed_bare(settings: PostgresSettings, chunks: Sequence[pa.Table]) -> float:
    columns = ", ".join(f'"{field.name}" {sql_type(field.type)}' for field in _SCHEMA)
    with psycopg.connect(**settings.connection(), autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {_BARE}")
        connection.execute(f"CREATE TABLE {_BARE} ({columns}, part bigint)")
        connection.execute(f"CREATE INDEX ON {_BARE} (part)")
        started = time.perf_counter()
        with connection.transaction():
            connection.execute(f"CREATE TEMP TABLE bare_staging ({columns}) ON COMMIT DROP")
            for chunk in chunks:
                with connection.cursor().copy("COPY bare_staging FROM STDIN (FORMAT csv)") as copy:
                    copy.write(to_csv(chunk))
            connection.execute(f"INSERT INTO {_BARE} SELECT *, 1 FROM bare_staging")
        took = time.perf_counter() - started
        connection.execute(f"DROP TABLE {_BARE}")
    return took
