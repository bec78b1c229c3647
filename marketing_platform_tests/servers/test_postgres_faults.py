"""PostgreSQL goes away, stands still or is slow: errors in time, nothing half-visible, recovery by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pyarrow as pa
import pytest

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.warehouse_postgres import PostgresWarehouse
from marketing_platform_tests.servers import postgres
from marketing_platform_tests.servers.base import Running, end, free_port
from marketing_platform_tests.servers.clocks import within
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import Line, slow_network

SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])
COUNT = "SELECT count(*) AS n FROM numbers"


def numbers(rows: int) -> pa.Table:
    return pa.table([range(rows), ["x" * 20] * rows], schema=SCHEMA)


def store(warehouse: PostgresWarehouse, part: str, rows: int) -> StoredTable:
    with warehouse.writer(part, SCHEMA) as writer:
        writer.add(numbers(rows))
    return writer.stored


def interrupted(warehouse: PostgresWarehouse, part: str, interrupt: Callable[[], None]) -> None:
    with warehouse.writer(part, SCHEMA) as writer:
        writer.add(numbers(10))
        interrupt()
        writer.add(numbers(10))


def counted(warehouse: PostgresWarehouse, stored: StoredTable) -> int:
    return warehouse.query(Select(COUNT, [stored.ref])).column(0)[0].as_py()


class Restartable:
    """A server of this test alone, which comes back on its port with what it held."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._home = stack.enter_context(postgres.home())
        self._port = free_port()
        self.start()

    def start(self) -> None:
        self.server: Running = self._stack.enter_context(postgres.running(self._home, self._port))

    def stop(self) -> None:
        end(self.server.process)


@pytest.fixture
def restartable() -> Iterator[Restartable]:
    with ExitStack() as stack:
        yield Restartable(stack)


def test_stopped_while_it_is_written_to_and_read_from(restartable: Restartable) -> None:
    warehouse = PostgresWarehouse(postgres.settings(restartable.server, read_seconds=5))
    kept = store(warehouse, "numbers__1", 5000)
    rows = warehouse.batches(Select("SELECT n FROM numbers", [kept.ref]), chunk_rows=100)
    assert next(rows).num_rows == 100
    with within(10), pytest.raises(StoreUnavailable, match="MARKETING_POSTGRES_"):
        interrupted(warehouse, "numbers__1", restartable.stop)
    with pytest.raises(StoreUnavailable):
        list(rows)
    for asked in (warehouse.names, lambda: warehouse.open("numbers__1"), lambda: counted(warehouse, kept)):
        with within(4), pytest.raises(StoreUnavailable, match="PostgreSQL at"):
            asked()
    restartable.start()
    assert warehouse.open("numbers__1") == kept
    assert counted(warehouse, kept) == 5000
    assert store(warehouse, "numbers__1", 7).rows == 7
    warehouse.close()


@pytest.fixture
def line() -> Iterator[Line]:
    port = int(shared(postgres.running).endpoint.split("port=")[1].split()[0])
    with slow_network("127.0.0.1", port) as line:
        yield line


def test_a_slow_server_is_waited_for_until_the_deadline(line: Line) -> None:
    settings = postgres.settings(
        shared(postgres.running), port=line.port, connect_seconds=2, read_seconds=1, write_seconds=1
    )
    warehouse = PostgresWarehouse(settings)
    stored = store(warehouse, "numbers__1", 10)
    line.delay = 0.1
    assert counted(warehouse, stored) == 10
    line.delay = 30
    with within(3), pytest.raises(StoreUnavailable):
        counted(warehouse, stored)
    line.delay = 0
    assert counted(warehouse, stored) == 10
    warehouse.close()


def test_a_network_that_falls_silent_while_writing_and_reading(line: Line) -> None:
    settings = postgres.settings(
        shared(postgres.running), port=line.port, connect_seconds=2, read_seconds=1, write_seconds=1
    )
    warehouse = PostgresWarehouse(settings)
    kept = store(warehouse, "numbers__1", 5000)
    with within(4), pytest.raises(StoreUnavailable):
        interrupted(warehouse, "numbers__2", line.cut.set)
    with within(4), pytest.raises(StoreUnavailable):
        counted(warehouse, kept)
    line.cut.clear()
    assert counted(warehouse, kept) == 5000
    assert warehouse.names() == ["numbers__1"]
    warehouse.close()


def test_a_query_that_takes_too_long_is_ended_in_the_server() -> None:
    settings = postgres.settings(shared(postgres.running), read_seconds=0.5)
    with within(2), pytest.raises(StoreUnavailable, match="PostgreSQL at"):
        PostgresWarehouse(settings).query(Select("SELECT count(*) FROM range(0, 1000000000) AS t(n)"))


def test_a_refused_password_is_said() -> None:
    settings = postgres.settings(shared(postgres.running), user="nobody_knows_me")
    with within(2), pytest.raises(StoreUnavailable, match="nobody_knows_me"):
        PostgresWarehouse(settings).names()


def test_first_writers_do_not_trip_over_each_other() -> None:
    warehouse = PostgresWarehouse(postgres.settings(shared(postgres.running), pool_size=6))
    with ThreadPoolExecutor(6) as threads:
        stored = list(threads.map(lambda n: store(warehouse, f"numbers__{n}", n), range(1, 13)))
    together = warehouse.combine("numbers__all", [f"numbers__{n}" for n in range(1, 13)], SCHEMA)
    assert counted(warehouse, together) == sum(one.rows for one in stored) == 78
    warehouse.close()


def test_an_empty_pool_is_said() -> None:
    warehouse = PostgresWarehouse(
        postgres.settings(shared(postgres.running), pool_size=1, connect_seconds=0.2)
    )
    with (
        warehouse.writer("numbers__1", SCHEMA),
        within(2),
        pytest.raises(StoreUnavailable, match="POOL_SIZE"),
    ):
        warehouse.names()
    warehouse.close()


def test_parts_with_other_columns_meet_in_one_query() -> None:
    warehouse = PostgresWarehouse(postgres.settings(shared(postgres.running)))
    store(warehouse, "numbers__1", 2)
    wider = pa.table({"n": [7], "extra": ["new"]})
    with warehouse.writer("numbers__2", wider.schema) as writer:
        writer.add(wider)
    both = warehouse.combine("numbers__all", ["numbers__1", "numbers__2"], wider.schema)
    rows = warehouse.query(Select("SELECT n, extra FROM numbers ORDER BY n", [both.ref])).to_pylist()
    assert rows == [{"n": 0, "extra": None}, {"n": 1, "extra": None}, {"n": 7, "extra": "new"}]
    warehouse.close()


def test_writing_a_part_again_leaves_nothing_of_the_old_one() -> None:
    warehouse = PostgresWarehouse(postgres.settings(shared(postgres.running)))
    for rows in (5, 3):
        stored = store(warehouse, "numbers__1", rows)
    assert counted(warehouse, stored) == 3
    warehouse.drop("numbers__1")
    assert counted(warehouse, store(warehouse, "numbers__1", 1)) == 1
    warehouse.close()
