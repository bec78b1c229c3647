"""Parquet: values as text without loss, and files that break off."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from marketing_platform_tests.sources.landed import defects, records, source

PARQUET = source({"type": "parquet"}, {"events": {"columns": {"user_id": "id"}}})


def _file(table: pa.Table, **options: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def test_values_become_text_without_loss() -> None:
    moment = dt.datetime(2024, 5, 1, 12, 30, 15, 250000)
    table = pa.table(
        {
            "id": pa.array([2**62, None]),
            "double": pa.array([0.1 + 0.2, float("nan")]),
            "money": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
            "at": pa.array([moment, None], pa.timestamp("ns")),
            "utc": pa.array([moment, None], pa.timestamp("us", tz="UTC")),
            "day": pa.array([dt.date(2024, 5, 1), None]),
            "yes": pa.array([True, False]),
            "word": pa.array(["a", "b"]).dictionary_encode(),
            "bytes": pa.array([b"text", b"\xff\xfe"]),
            "user": pa.array([{"name": "Ann", "tags": ["x", "y"]}, None]),
        }
    )
    first, second = (document for document, _ in records(_file(table), PARQUET))
    assert first == {
        "id": "4611686018427387904",
        "double": "0.30000000000000004",
        "money": "1.50",
        "at": "2024-05-01 12:30:15.25",
        "utc": "2024-05-01 12:30:15.25Z",
        "day": "2024-05-01",
        "yes": "true",
        "word": "a",
        "bytes": "text",
        "user.name": "Ann",
        "user.tags": '["x","y"]',
    }
    assert second["double"] == "nan"
    assert second["bytes"] == "//4="
    assert second["user.name"] is None


def test_cells_that_are_set_aside() -> None:
    table = pa.table({"id": ["a", "nul\0", "x" * 5000, "b"]})
    assert defects(_file(table), PARQUET) == [None, "NUL byte", "cell larger than 4096 bytes", None]


def test_text_that_is_no_utf8() -> None:
    broken = pa.array([b"ok", b"\xff"]).view(pa.string())
    assert defects(_file(pa.table({"id": broken})), PARQUET) == [None, "not utf-8 text"]


def test_a_field_that_is_not_there() -> None:
    assert defects(_file(pa.table({"x": [1]})), PARQUET) == ["unreadable: header lacks the field(s) id"]


def test_no_footer_is_one_record() -> None:
    content = _file(pa.table({"id": list(range(1000))}))
    for broken in (b"", content[: len(content) // 2], content[:-4], b"PAR1"):
        (defect,) = defects(broken, PARQUET)
        assert (defect or "").startswith("unreadable: no Parquet data from here on")


def test_a_corrupt_row_group_ends_the_reading() -> None:
    content = bytearray(_file(pa.table({"id": [f"user {n}" for n in range(20_000)]}), row_group_size=10_000))
    middle = len(content) // 2
    content[middle : middle + 2000] = b"\xff" * 2000
    found = defects(bytes(content), PARQUET)
    assert (found[-1] or "").startswith("unreadable: ")
    assert len(found) > 1
