"""Which columns a query reads, and how large they are to BigQuery."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.capacity_bytes import Noting, Sizes, columns_of, read_by, weighed
from marketing_platform.analytics import aggregates
from marketing_platform.catalog import tables
from marketing_platform.stores.protocols import Select, StoredTable

KNOWN = {"events": ["user_id", "timestamp", "channel", "message"], "users": ["user_id", "country"]}


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT user_id FROM events", {"events": {"user_id"}}),
        ("SELECT * FROM users", {"users": {"user_id", "country"}}),
        ("SELECT count(*) AS n FROM events WHERE channel = 'web'", {"events": {"channel"}}),
        (
            "WITH all_of AS (SELECT * FROM events) SELECT max(timestamp) AS t FROM all_of GROUP BY channel",
            {"events": {"timestamp", "channel"}},
        ),
        (
            "SELECT u.country FROM events AS e JOIN users AS u ON u.user_id = e.user_id",
            {"events": {"user_id"}, "users": {"user_id", "country"}},
        ),
        (
            "SELECT user_id FROM events UNION ALL SELECT country FROM users",
            {"events": {"user_id"}, "users": {"country"}},
        ),
    ],
)
def test_columns_are_those_that_are_named_on_the_way(sql: str, read: dict[str, set[str]]) -> None:
    assert columns_of(sql, KNOWN) == read


def test_every_aggregate_reads_each_of_its_tables() -> None:
    for aggregate in aggregates().values():
        known = {
            name: (tables().get(name) or aggregates().get(name) or tables()["events"]).arrow_schema.names
            for name in aggregate.reads
            if name != "admitted_batches"
        }
        assert columns_of(aggregate.query, known).keys() == known.keys(), aggregate.name


def store(warehouse: Noting, part: str, rows: pa.Table) -> StoredTable:
    with warehouse.writer(part, rows.schema) as writer:
        writer.add(rows)
    return writer.stored


def test_sizes_are_logical_and_null_has_none(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "text": ["ab", "é", None],
            "whole": [1, 2, 3],
            "flag": [True, None, None],
            "money": pa.array([Decimal("1.5"), None, Decimal(2)], pa.decimal128(18, 6)),
            "vector": pa.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], pa.list_(pa.float32(), 2)),
        }
    )
    stored = store(Noting(tmp_path), "made__1", rows)
    sizes = Sizes(Noting(tmp_path)).of(stored.ref)
    assert {name: sizes[name] for name in rows.schema.names} == {
        "text": 8.0,  # two of two bytes of UTF-8, each with two more
        "whole": 24.0,
        "flag": 1.0,
        "money": 32.0,
        "vector": 48.0,
    }
    assert read_by(Select("SELECT whole FROM made", [stored.ref]), sizes=Sizes(Noting(tmp_path))) == 24.0


def test_rows_of_batches_are_told_apart_by_their_part(tmp_path: Path) -> None:
    rows = pa.table({"user_id": ["a", "b"]})
    stored = store(Noting(tmp_path), "events__0123456789ab", rows)
    key = 2 + len("events__0123456789ab@0123456789abcdef")
    read = read_by(Select("SELECT user_id FROM events", [stored.ref]), Sizes(Noting(tmp_path)))
    assert read == 2 * 3 + 2 * key


def test_steps_are_charged_for_what_they_ask_and_for_fingerprints(
    tmp_path: Path,
) -> None:
    warehouse = Noting(tmp_path)
    stored = store(warehouse, "made__1", pa.table({"n": [1, 2], "m": [1, 2]}))
    warehouse.step = "one"
    warehouse.create("sum__1", Select("SELECT sum(n) AS s FROM made", [stored.ref]))
    warehouse.step = "two"
    warehouse.query(Select("SELECT n, m FROM made", [stored.ref]))
    found = {one.step: (one.statements, one.bytes) for one in weighed(warehouse)}
    assert found["two"] == (1, 32.0)
    assert found["one"][0] == 2
    assert 16.0 < found["one"][1] <= 32.0
