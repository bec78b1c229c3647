"""What is special to the warehouse on BigQuery: its tables, retries, killed writers, a lost server."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client, Table

from marketing_platform.catalog import table
from marketing_platform.errors import CostRefused, StoreUnavailable, UnknownName
from marketing_platform.stores.bigquery_jobs import BigQueryJobs
from marketing_platform.stores.bigquery_parts import Parts
from marketing_platform.stores.bigquery_settings import BigQuerySettings
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.warehouse_bigquery import BigQueryWarehouse
from marketing_platform_tests.servers import bigquery, gcs
from marketing_platform_tests.servers.base import end, free_port
from marketing_platform_tests.servers.clocks import within
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import Line, slow_network
from marketing_platform_tests.stores.processes import killed_half_way

EVENTS = table("events").arrow_schema
COUNT = "SELECT count(*) AS n FROM events"


def events(count: int) -> pa.Table:
    """Events on as many days."""
    return pa.Table.from_pylist(
        [
            {
                "event_id": f"e{n}",
                "user_id": f"u{n}",
                "timestamp": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n),
                "batch_id": "a@1",
                "row_ordinal": n,
            }
            for n in range(count)
        ],
        schema=EVENTS,
    )


@pytest.fixture
def settings() -> BigQuerySettings:
    return bigquery.settings(shared(bigquery.running))


@pytest.fixture
def bucket() -> GcsSettings:
    return gcs.settings(shared(gcs.running))


@pytest.fixture
def warehouse(settings: BigQuerySettings, bucket: GcsSettings) -> Iterator[BigQueryWarehouse]:
    with closing(BigQueryWarehouse(settings, bucket)) as warehouse:
        yield warehouse


def store(warehouse: BigQueryWarehouse, part: str, rows: pa.Table) -> StoredTable:
    with warehouse.writer(part, rows.schema) as writer:
        writer.add(rows)
    return writer.stored


def counted(warehouse: BigQueryWarehouse, stored: StoredTable, sql: str = COUNT) -> int:
    return warehouse.query(Select(sql, [stored.ref])).column(0)[0].as_py()


def client(settings: BigQuerySettings) -> Client:
    return Client(
        project=settings.project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": settings.endpoint},
    )


def held(settings: BigQuerySettings) -> dict[str, Table]:
    """Every table of the dataset that holds rows, by name."""
    asked = client(settings)
    listed = asked.list_tables(f"{settings.project}.{settings.dataset}")
    return {one.table_id: asked.get_table(one.reference) for one in listed if one.table_type == "TABLE"}


def rows_of_events(settings: BigQuerySettings) -> int:
    """Rows in the table that the batches share, visible or not."""
    (name,) = [name for name in held(settings) if re.fullmatch("rows_of_events_[0-9a-f]{10}", name)]
    (row,) = client(settings).query(f"SELECT COUNT(*) FROM `{settings.dataset}.{name}`").result()
    return row[0]


def test_batches_share_a_table_partitioned_by_month_and_clustered_by_part(
    warehouse: BigQueryWarehouse, settings: BigQuerySettings
) -> None:
    for n in (1, 2):
        store(warehouse, f"events__{n}", events(n))
    (shared_table,) = held(settings).values()  # and no staging table is left
    assert rows_of_events(settings) == 3
    assert shared_table.time_partitioning.type_ == "MONTH"
    assert shared_table.time_partitioning.field == "timestamp"
    assert shared_table.clustering_fields == ["stored_part", "user_id", "campaign_id"]


def test_what_is_computed_has_a_clustered_table_of_its_own_and_says_what_it_cost(
    warehouse: BigQueryWarehouse, settings: BigQuerySettings
) -> None:
    ref = store(warehouse, "events__1", events(5)).ref
    made = warehouse.create("seen__1", Select("SELECT user_id, timestamp FROM events", [ref]))
    own = next(one for name, one in held(settings).items() if name.startswith("rows_of_seen__1"))
    assert own.clustering_fields == ["user_id"]
    assert made.cost.keys() == {"bytes_estimated", "bytes_billed"}  # 0 in the emulator, which bills nothing
    warehouse.drop("seen__1")
    assert not any(name.startswith("rows_of_seen") for name in held(settings))


def test_figures_by_day_are_partitioned_by_month(
    warehouse: BigQueryWarehouse, settings: BigQuerySettings
) -> None:
    ref = store(warehouse, "events__1", events(90)).ref
    days = "SELECT CAST(timestamp AS DATE) AS day, count(*) AS n FROM events GROUP BY 1"
    stored = warehouse.create("kpi_daily__1", Select(days, [ref]))
    own = next(one for name, one in held(settings).items() if name.startswith("rows_of_kpi_daily__1"))
    assert (own.time_partitioning.type_, own.time_partitioning.field) == ("MONTH", "day")
    january = "SELECT count(*) AS n FROM kpi_daily WHERE day BETWEEN DATE '2026-01-01' AND DATE '2026-01-31'"
    assert counted(warehouse, stored, january) == 31


def test_every_statement_behind_a_part_is_on_its_bill(
    warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def estimate(_: BigQueryJobs, sql: str, __: object) -> int:
        asked.append(sql.split(maxsplit=1)[0])
        return 1_000

    monkeypatch.setattr(BigQueryJobs, "estimate", estimate)  # the emulator's own answer is always 0
    landed = store(warehouse, "events__1", events(3))
    assert asked == ["SELECT", "MERGE"]  # judged in the staging table, then moved; load jobs cost nothing
    assert landed.cost == {"bytes_estimated": 2_000, "bytes_billed": 0}
    asked.clear()
    made = warehouse.create("seen__1", Select("SELECT user_id FROM events", [landed.ref]))
    assert asked == ["INSERT", "SELECT"]
    assert made.cost == {"bytes_estimated": 2_000, "bytes_billed": 0}


def test_what_would_read_too_much_is_not_run(
    settings: BigQuerySettings, bucket: GcsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = settings.model_copy(update={"maximum_bytes_billed": 1_000})
    with closing(BigQueryWarehouse(limited, bucket)) as warehouse:
        ref = store(warehouse, "events__1", events(3)).ref
        monkeypatch.setattr(BigQueryJobs, "estimate", lambda *_: 1_001)
        with pytest.raises(
            CostRefused, match=r"1,001 bytes\. MARKETING_BIGQUERY_MAXIMUM_BYTES_BILLED allows 1,000"
        ):
            warehouse.create("seen__1", Select("SELECT user_id FROM events", [ref]))
        assert warehouse.names() == ["events__1"]


def test_writing_a_part_again_never_doubles_it(
    warehouse: BigQueryWarehouse, settings: BigQuerySettings
) -> None:
    first = store(warehouse, "events__1", events(4))
    neighbour = store(warehouse, "events__10", events(2))
    assert store(warehouse, "events__1", events(4)) == first
    assert counted(warehouse, first) == 4
    assert store(warehouse, "events__1", events(3)).fingerprint != first.fingerprint
    assert counted(warehouse, warehouse.open("events__1")) == 3
    assert rows_of_events(settings) == 5  # nothing of the old content is left
    warehouse.drop("events__1")
    assert counted(warehouse, neighbour) == 2
    assert rows_of_events(settings) == 2


def test_columns_that_were_added_since_are_null_in_older_parts(warehouse: BigQueryWarehouse) -> None:
    old = pa.table({"n": [1, 2]})
    new = pa.table(
        {
            "n": [7],
            "extra": ["new"],
            "vector": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)),
            "parts": pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())),
        }
    )
    store(warehouse, "numbers__1", old)
    store(warehouse, "numbers__2", new)
    both = warehouse.combine("numbers__all", ["numbers__1", "numbers__2"], new.schema)
    asked = "SELECT n, extra, parts['a'] AS found FROM numbers ORDER BY n"
    assert warehouse.query(Select(asked, [both.ref])).to_pylist() == [
        {"n": 1, "extra": None, "found": None},
        {"n": 2, "extra": None, "found": None},
        {"n": 7, "extra": "new", "found": "b"},
    ]


def test_a_table_of_many_parts_is_looked_up_at_once(warehouse: BigQueryWarehouse) -> None:
    parts = [f"events__{n:02}" for n in range(12)]
    for part in parts:
        store(warehouse, part, events(2))
    every = warehouse.combine("events__all", parts, EVENTS)
    assert every.ref.parts == tuple(parts)
    assert warehouse.open("events__all") == every
    assert counted(warehouse, every) == 24
    warehouse.drop("events__03")
    with pytest.raises(UnknownName, match="events__03"):
        counted(warehouse, every)


def write_and_hang(settings: BigQuerySettings, bucket: GcsSettings, half_way: Any) -> None:
    """Store a part up to the step that makes it visible."""

    def hang(*_: Any) -> None:
        half_way.set()
        signal.pause()

    Parts.publish = hang
    store(BigQueryWarehouse(settings, bucket), "events__1", events(3))


def test_a_killed_writer_leaves_nothing_visible_and_its_retry_doubles_nothing(
    warehouse: BigQueryWarehouse, settings: BigQuerySettings, bucket: GcsSettings
) -> None:
    killed_half_way(write_and_hang, settings, bucket)
    assert rows_of_events(settings) == 3  # it came as far as that
    assert warehouse.names() == []
    with pytest.raises(UnknownName, match="events__1"):
        warehouse.open("events__1")
    stored = store(warehouse, "events__1", events(3))
    assert counted(warehouse, stored) == rows_of_events(settings) == 3


def test_a_server_that_is_gone_is_told_in_time(bucket: GcsSettings) -> None:
    port = free_port()
    with ExitStack() as stack:
        server = stack.enter_context(bigquery.running(port))
        warehouse = BigQueryWarehouse(bigquery.settings(server, retry_seconds=1), bucket)
        kept = store(warehouse, "events__1", events(2))
        end(server.process)
        with within(6), pytest.raises(StoreUnavailable, match="MARKETING_BIGQUERY_"):
            store(warehouse, "events__2", events(2))
        asked = (warehouse.names, lambda: warehouse.open("events__1"), lambda: counted(warehouse, kept))
        for ask in asked:
            with within(6), pytest.raises(StoreUnavailable, match="BigQuery"):
                ask()
    with bigquery.running(port):  # it forgets what it held: the emulator keeps all in memory
        assert warehouse.names() == []


@pytest.fixture
def line() -> Iterator[Line]:
    port = int(shared(bigquery.running).endpoint.rpartition(":")[2])
    with slow_network("127.0.0.1", port) as line:
        yield line


def test_a_network_that_falls_silent(line: Line, bucket: GcsSettings) -> None:
    settings = bigquery.settings(
        shared(bigquery.running),
        endpoint=f"http://127.0.0.1:{line.port}",
        request_seconds=1,
        read_seconds=1,
        write_seconds=1,
        retry_seconds=1,
    )
    with closing(BigQueryWarehouse(settings, bucket)) as warehouse:
        kept = store(warehouse, "events__1", events(2))
        line.cut.set()
        with within(6), pytest.raises(StoreUnavailable):
            store(warehouse, "events__2", events(2))
        with within(6), pytest.raises(StoreUnavailable):
            counted(warehouse, kept)
        line.cut.clear()
        assert counted(warehouse, kept) == 2
        assert warehouse.names() == ["events__1"]


def test_nothing_stays_in_the_staging_bucket(warehouse: BigQueryWarehouse, bucket: GcsSettings) -> None:
    store(warehouse, "events__1", events(2))
    listed = gcs.client(shared(gcs.running)).list_blobs(bucket.bucket)
    assert [one.name for one in listed] == []
