"""What every warehouse does; each implementation adds a factory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from marketing_platform.catalog import table
from marketing_platform.errors import UnknownName
from marketing_platform.stores.protocols import Select, StoredTable, Warehouse
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared
from marketing_platform_tests.stores.processes import AWKWARD
from serving.duckdb_sharing import shared_duckdb

SCHEMA = table("purchases").arrow_schema


def duckdb(folder: Path) -> Warehouse:
    return DuckDBWarehouse(folder / "it's a folder")


def duckdb_of_the_api(folder: Path) -> Warehouse:
    return DuckDBWarehouse(folder, connect=shared_duckdb("1GB"))


def postgres(_folder: Path) -> Warehouse:
    from marketing_platform.stores.warehouse_postgres import PostgresWarehouse
    from marketing_platform_tests.servers import postgres as server

    return PostgresWarehouse(server.settings(shared(server.running)))


def bigquery(_folder: Path) -> Warehouse:
    from marketing_platform.stores.warehouse_bigquery import BigQueryWarehouse
    from marketing_platform_tests.servers import bigquery as server
    from marketing_platform_tests.servers import gcs

    return BigQueryWarehouse(server.settings(shared(server.running)), gcs.settings(shared(gcs.running)))


@pytest.fixture(params=[duckdb, duckdb_of_the_api, *([postgres, bigquery] if WITH_SERVERS else [])])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    factory: Callable[[Path], Warehouse] = request.param
    return factory(tmp_path)


def lines(*prices: str, batch: str = "a@1") -> pa.Table:
    rows = [
        {
            "purchase_id": f"p{n}",
            "order_id": "ö'\"",
            "user_id": None if n % 2 else "u",
            "product_id": "x",
            "timestamp": datetime(2026, 1, 1, 23, 30, tzinfo=UTC),
            "quantity": -1 if n == 0 else n,
            "unit_price": Decimal(price),
            "currency": "EUR",
            "country": None,
            "satisfaction": None,
            "batch_id": batch,
            "row_ordinal": n,
        }
        for n, price in enumerate(prices)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def store(warehouse: Warehouse, part: str, *chunks: pa.Table) -> StoredTable:
    with warehouse.writer(part, SCHEMA) as writer:
        for chunk in chunks:
            writer.add(chunk)
    return writer.stored


def test_rows_come_back_as_they_were(warehouse: Warehouse) -> None:
    stored = store(warehouse, "purchases__1", lines("1.10", "2.25", "999999999999.999999"))
    assert stored.rows == 3
    assert warehouse.open("purchases__1") == stored
    read = warehouse.query(Select("SELECT * FROM purchases ORDER BY row_ordinal", [stored.ref]))
    assert read.cast(SCHEMA).equals(lines("1.10", "2.25", "999999999999.999999"))


def test_money_adds_up_exactly_and_days_are_utc(warehouse: Warehouse) -> None:
    stored = store(warehouse, "purchases__1", lines(*["0.10"] * 1000))
    sql = "SELECT sum(unit_price) AS total, max(CAST(timestamp AS DATE)) AS day FROM purchases"
    assert warehouse.query(Select(sql, [stored.ref])).to_pylist() == [
        {"total": Decimal("100"), "day": date(2026, 1, 1)}
    ]


def test_a_union_of_parts_is_their_rows_whatever_the_order(warehouse: Warehouse) -> None:
    one = store(warehouse, "purchases__1", lines("1", "2"))
    two = store(warehouse, "purchases__2", lines("3"))
    both = warehouse.combine("purchases__both", ["purchases__1", "purchases__2"], SCHEMA)
    turned = warehouse.combine("purchases__turned", ["purchases__2", "purchases__1"], SCHEMA)
    assert both.rows == 3
    assert both.fingerprint == turned.fingerprint not in {one.fingerprint, two.fingerprint}
    assert both.ref.parts == ("purchases__1", "purchases__2")
    assert warehouse.query(Select("SELECT count(*) AS n FROM purchases", [both.ref])).to_pylist() == [
        {"n": 3}
    ]


def test_the_fingerprint_follows_the_content_alone(warehouse: Warehouse) -> None:
    whole = store(warehouse, "purchases__1", lines("1", "2"))
    split = store(warehouse, "purchases__2", lines("1", "2").slice(1), lines("1", "2").slice(0, 1))
    other = store(warehouse, "purchases__3", lines("1", "3"))
    assert whole.fingerprint == split.fingerprint != other.fingerprint


def test_nothing_is_a_table_too(warehouse: Warehouse) -> None:
    empty = warehouse.combine("purchases__none", [], SCHEMA)
    written = store(warehouse, "purchases__zero")
    for stored in (empty, written):
        assert stored.rows == 0
        assert warehouse.query(
            Select("SELECT count(unit_price) AS n FROM purchases", [stored.ref])
        ).to_pylist() == [{"n": 0}]


def test_a_query_is_stored_inside_the_engine(warehouse: Warehouse) -> None:
    lines_ref = store(warehouse, "purchases__1", lines("1", "2", "4")).ref
    made = warehouse.create(
        "totals__1",
        Select(
            "SELECT user_id, sum(unit_price) AS total FROM purchases WHERE unit_price < $most GROUP BY 1",
            [lines_ref],
            {"most": 3},
        ),
    )
    assert made.rows == 2
    rows = warehouse.query(Select("SELECT * FROM totals ORDER BY total", [made.ref])).to_pylist()
    assert rows == [{"user_id": "u", "total": Decimal(1)}, {"user_id": None, "total": Decimal(2)}]


def test_parameters_are_values_never_sql(warehouse: Warehouse) -> None:
    stored = store(warehouse, "purchases__1", lines("1"))
    select = Select(
        "SELECT count(*) AS n FROM purchases WHERE order_id = $id", [stored.ref], {"id": "' OR 1=1 --"}
    )
    assert warehouse.query(select).to_pylist() == [{"n": 0}]


def test_rows_stream_in_chunks(warehouse: Warehouse) -> None:
    stored = store(warehouse, "purchases__1", *[lines(*["1"] * 1000)] * 5)
    chunks = list(
        warehouse.batches(Select("SELECT unit_price FROM purchases", [stored.ref]), chunk_rows=2048)
    )
    assert sum(chunk.num_rows for chunk in chunks) == 5000
    assert len(chunks) > 1


def test_what_failed_half_way_does_not_exist(warehouse: Warehouse) -> None:
    with pytest.raises(OSError, match="gone"), warehouse.writer("purchases__1", SCHEMA) as writer:  # noqa: PT012
        writer.add(lines("1"))
        raise OSError("gone")
    assert warehouse.names() == []
    with pytest.raises(UnknownName, match="purchases__1"):
        warehouse.open("purchases__1")


def test_a_dropped_part_is_gone_and_its_neighbours_stay(warehouse: Warehouse) -> None:
    store(warehouse, "purchases__1", lines("1"))
    store(warehouse, "purchases__2", lines("2"))
    warehouse.drop("purchases__1")
    warehouse.drop("purchases__1")
    assert warehouse.names() == ["purchases__2"]


def test_vectors_maps_and_awkward_texts_come_back(warehouse: Warehouse) -> None:
    texts = [*AWKWARD, "", None, "\\.", "\\N", "NULL", "a,b;c", "{}"]
    vectors = [[n / 7, -0.5, 1e-30] for n in range(len(texts))]
    maps = [[("events", text or ""), ("ü", "1")] for text in texts]
    rows = pa.table(
        {
            "n": pa.array(range(len(texts)), pa.int64()),
            "text": pa.array(texts, pa.string()),
            "flag": pa.array([None, True, False] + [True] * (len(texts) - 3), pa.bool_()),
            "number": pa.array([0.1, None, 1e300, float("inf")] + [1 / 3] * (len(texts) - 4), pa.float64()),
            "vector": pa.array(vectors, pa.list_(pa.float32(), 3)),
            "parts": pa.array(maps, pa.map_(pa.string(), pa.string())),
        }
    )
    with warehouse.writer("texts__1", rows.schema) as writer:
        writer.add(rows)
    read = warehouse.query(Select("SELECT * FROM texts ORDER BY n", [writer.stored.ref]))
    assert (
        read.drop_columns(["vector", "parts"]).to_pylist()
        == rows.drop_columns(["vector", "parts"]).to_pylist()
    )
    assert read["vector"].to_pylist() == rows["vector"].to_pylist()
    assert [dict(parts) for parts in read["parts"].to_pylist()] == [dict(parts) for parts in maps]
    looked_up = "SELECT parts[$name] AS found FROM texts WHERE parts[$name] IS NOT NULL AND n = 0"
    assert warehouse.query(Select(looked_up, [writer.stored.ref], {"name": "ü"})).to_pylist() == [
        {"found": "1"}
    ]


def test_a_result_without_rows_keeps_its_columns(warehouse: Warehouse) -> None:
    rows = pa.table(
        {
            "n": [1],
            "v": pa.array([[0.5, 1.0]], pa.list_(pa.float32(), 2)),
            "m": pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())),
        }
    )
    with warehouse.writer("vectors__1", rows.schema) as writer:
        writer.add(rows)
    select = Select("SELECT n, v, m FROM vectors WHERE n > 1", [writer.stored.ref])
    read = warehouse.query(select)
    assert read.num_rows == 0
    assert read.schema.names == rows.schema.names
    assert read.schema.field("m").type == rows.schema.field("m").type
    assert list(warehouse.batches(select, chunk_rows=10)) == []


def test_a_zero_vector_is_found(warehouse: Warehouse) -> None:
    rows = pa.table({"n": [1, 2], "v": pa.array([[0.0, 0.0], [0.0, 1.0]], pa.list_(pa.float32(), 2))})
    with warehouse.writer("vectors__1", rows.schema) as writer:
        writer.add(rows)
    sql = "SELECT n FROM vectors WHERE list_dot_product(vectors.v, vectors.v) = 0"
    assert warehouse.query(Select(sql, [writer.stored.ref])).to_pylist() == [{"n": 1}]
