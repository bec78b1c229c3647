"""Text as typed values: what is read, what is missing, what cannot be read."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.catalog import table
from marketing_platform.sources import Projection, SourceSpec, project
from marketing_platform_tests.sources.landed import raw, source

UTC = dt.UTC
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


def _projected(rows: list[tuple[str, ...]], tables: dict[str, Any], **more: Any) -> Projection:
    spec = source({"type": "csv"}, tables, **more)
    sink = io.StringIO()
    csv.writer(sink).writerows([("v", "w"), *((*row, "x")[:2] for row in rows)])
    return project(raw(sink.getvalue().encode(), spec), spec, "test@abc")


def _value(name: str, column: str, text: str, options: dict[str, Any] | None = None, **more: Any) -> Any:
    """The value that `text` gives, or the reason why it gives none."""
    columns = {column: {"field": "v", **(options or {})}}
    found = _projected([(text,)], {name: {"columns": columns}}, **more)
    if found.problems.num_rows:
        (problem,) = found.problems.to_pylist()
        assert found.tables[name][column].to_pylist() == [None]
        return problem["reason"]
    return found.tables[name][column].to_pylist()[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        (" -3 ", -3),
        ("+4", 4),
        ("12.0", 12),
        ("9223372036854775807", 2**63 - 1),
        ("", None),
        ("1.5", "quantity unreadable"),
        ("1,000", "quantity unreadable"),
        ("9223372036854775808", "quantity unreadable"),
        ("1e3", "quantity unreadable"),
        ("0x1F", "quantity unreadable"),
        ("1_000", "quantity unreadable"),
        ("two", "quantity unreadable"),
    ],
)
def test_integers(text: str, value: Any) -> None:
    assert _value("purchases", "quantity", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4.416667", 4.416667),
        (".5", 0.5),
        ("3e4", 30000.0),
        ("1e999", "conversions unreadable"),
        ("NaN", "conversions unreadable"),
        ("inf", "conversions unreadable"),
        ("-Infinity", "conversions unreadable"),
        ("1 000", "conversions unreadable"),
    ],
)
def test_numbers(text: str, value: Any) -> None:
    assert _value("ad_spend", "conversions", text) == value


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("1115.94", {}, Decimal("1115.94")),
        ("0.10", {}, Decimal("0.10")),
        ("-11062.06", {}, Decimal("-11062.06")),
        ("999999999999.999999", {}, Decimal("999999999999.999999")),
        ("1000000000000", {}, "spend unreadable"),
        ("1e999", {}, "spend unreadable"),
        ("$5", {}, "spend unreadable"),
        ("20836690", {"unit": "micros"}, Decimal("20.83669")),
        ("199", {"unit": "cents"}, Decimal("1.99")),
        ("1.234.567,89", {"decimal": ",", "thousands": "."}, Decimal("1234567.89")),
        ("1234,5", {"decimal": ",", "thousands": "."}, Decimal("1234.5")),
        ("12.34", {"decimal": ",", "thousands": "."}, "spend unreadable"),
    ],
)
def test_money_is_exact(text: str, options: dict[str, Any], value: Any) -> None:
    assert _value("ad_spend", "spend", text, options) == value


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("2026-05-10T02:12:41+00:00", {}, dt.datetime(2026, 5, 10, 2, 12, 41, tzinfo=UTC)),
        ("2026-05-10T02:12:41.5+0200", {}, dt.datetime(2026, 5, 10, 0, 12, 41, 500000, tzinfo=UTC)),
        ("2026-05-10T02:12Z", {}, dt.datetime(2026, 5, 10, 2, 12, tzinfo=UTC)),
        ("2022-02-01 2:20:51", {}, dt.datetime(2022, 2, 1, 2, 20, 51, tzinfo=UTC)),
        ("2022-02-01", {}, dt.datetime(2022, 2, 1, tzinfo=UTC)),
        ("1899-12-31T23:59:59Z", {}, "timestamp unreadable"),
        ("2201-01-01T00:00:00Z", {}, "timestamp unreadable"),
        ("99999-01-01", {}, "timestamp unreadable"),
        ("2026-02-30", {}, "timestamp unreadable"),
        ("2026-05-10T25:00:00", {}, "timestamp unreadable"),
        ("infinity", {}, "timestamp unreadable"),
        ("epoch", {}, "timestamp unreadable"),
        ("yesterday", {}, "timestamp unreadable"),
        ("1767225600", {"unit": "seconds"}, dt.datetime(2026, 1, 1, tzinfo=UTC)),
        ("1767225600250", {"unit": "milliseconds"}, dt.datetime(2026, 1, 1, 0, 0, 0, 250000, tzinfo=UTC)),
        ("1e300", {"unit": "seconds"}, "timestamp unreadable"),
        ("99999999999999999", {"unit": "milliseconds"}, "timestamp unreadable"),
        ("12/31/2025 23:05", {"format": "%m/%d/%Y %H:%M"}, dt.datetime(2025, 12, 31, 23, 5, tzinfo=UTC)),
        ("31.12.25", {"format": ["%m/%d/%Y", "%d.%m.%y"]}, dt.datetime(2025, 12, 31, tzinfo=UTC)),
        ("2025-12-31 +0100", {"format": "%Y-%m-%d %z"}, dt.datetime(2025, 12, 30, 23, tzinfo=UTC)),
        ("31/12/2025", {"format": "%m/%d/%Y"}, "timestamp unreadable"),
    ],
)
def test_timestamps(text: str, options: dict[str, Any], value: Any) -> None:
    assert _value("events", "timestamp", text, options) == value


@pytest.mark.parametrize("options", [{}, {"format": "%Y-%m-%d %H:%M"}])
def test_times_without_offset_are_read_in_the_declared_zone(options: dict[str, Any]) -> None:
    found = _value("events", "timestamp", "2011-07-01 08:26", options, timezone="Europe/London")
    assert found == dt.datetime(2011, 7, 1, 7, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("2025-01-31", {}, dt.date(2025, 1, 31)),
        ("2025-01-31T23:30:00-05:00", {}, dt.date(2025, 1, 31)),
        ("31.01.2025", {"format": "%d.%m.%Y"}, dt.date(2025, 1, 31)),
        ("20250131", {}, "date unreadable"),
        ("2025-01-31 nonsense", {}, "date unreadable"),
        ("1850-01-01", {}, "date unreadable"),
    ],
)
def test_dates(text: str, options: dict[str, Any], value: Any) -> None:
    assert _value("ad_spend", "date", text, options) == value


@pytest.mark.parametrize(
    ("text", "value"), [("TRUE", True), ("n", False), ("1", True), ("maybe", "in_stock unreadable")]
)
def test_booleans(text: str, value: Any) -> None:
    assert _value("products", "in_stock", text) == value


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("\u00a0 O'Brien\t", {}, "O'Brien"),
        ("  ", {}, None),
        ("--", {}, None),
        ("17850.0", {"drop_decimal_zeros": True}, "17850"),
        ("00178.5", {"drop_decimal_zeros": True}, "00178.5"),
        ("msg", {"map": {"msg": "message"}}, "message"),
        ("view", {"map": {"msg": "message"}}, "view"),
        ("view", {"map": {"msg": "message"}, "otherwise": "missing"}, None),
        ("view", {"map": {"msg": "message"}, "otherwise": "unreadable"}, "event_type unreadable"),
    ],
)
def test_text(text: str, options: dict[str, Any], value: Any) -> None:
    assert _value("events", "event_type", text, options, nulls=["--"]) == value


@pytest.mark.parametrize(
    ("line", "units", "each"),
    [
        ("5.97", "3", Decimal("1.99")),
        ("10", "3", Decimal("3.333333")),
        ("-4.00", "-2", Decimal("2")),
        ("28.15", "11260", Decimal("0.0025")),
        ("", "3", None),
        ("2.09", "0", "unit_price unreadable"),
        ("2.09", "", "unit_price unreadable"),
        ("2.09", "two", "unit_price unreadable"),
    ],
)
def test_what_a_line_costs_per_unit(line: str, units: str, each: Decimal | str | None) -> None:
    columns = {"quantity": "w", "unit_price": {"field": "v", "per": "w"}}
    found = _projected([(line, units)], {"purchases": {"columns": columns}})
    reasons = [
        problem["reason"] for problem in found.problems.to_pylist() if problem["column"] == "unit_price"
    ]
    assert [*reasons, *found.tables["purchases"]["unit_price"].to_pylist()][0] == each


def test_constants_and_templates() -> None:
    columns = {
        "order_id": {"template": "{v}/{w}'s"},
        "currency": {"constant": "GBP"},
        "quantity": {"constant": 5},
    }
    found = _projected([("a", "b"), ("", "b")], {"purchases": {"columns": columns}}).tables["purchases"]
    assert found["order_id"].to_pylist() == ["a/b's", None]
    assert found["currency"].to_pylist() == ["GBP", "GBP"]
    assert found["quantity"].to_pylist() == [5, 5]


def test_one_file_feeds_several_tables_with_exactly_their_schemas() -> None:
    tables = {
        "purchases": {"columns": {"user_id": "v", "product_id": "w"}},
        "users": {"columns": {"user_id": "v"}, "skip_when_missing": ["user_id"]},
    }
    found = _projected([("ann", "mug"), ("", "cup")], tables)
    assert {name: rows.num_rows for name, rows in found.tables.items()} == {"purchases": 2, "users": 1}
    for name, rows in found.tables.items():
        assert rows.schema == table(name).arrow_schema
    assert found.tables["purchases"]["row_ordinal"].to_pylist() == [0, 1]
    assert found.problems.num_rows == 0


def test_a_fact_gets_an_identifier_from_batch_and_row() -> None:
    for columns in ({"event_id": "v", "user_id": "w"}, {"user_id": "w"}):
        found = _projected([("", "a"), ("", "b")], {"events": {"columns": columns}}).tables["events"]
        assert found["event_id"].to_pylist() == ["abc:0", "abc:1"]
        assert found["batch_id"].to_pylist() == ["test@abc", "test@abc"]
    assert _value("events", "event_id", "e7") == "e7"
    assert _value("users", "user_id", "") is None


def test_every_unreadable_cell_is_one_problem_and_its_row_stays() -> None:
    columns = {"timestamp": "v", "quantity": "w"}
    found = _projected([("x", "y"), ("2025-01-01", "1"), ("z", "2")], {"purchases": {"columns": columns}})
    assert [tuple(problem.values()) for problem in found.problems.to_pylist()] == [
        (0, "purchases", "timestamp", "timestamp unreadable", "x"),
        (0, "purchases", "quantity", "quantity unreadable", "y"),
        (2, "purchases", "timestamp", "timestamp unreadable", "z"),
    ]
    assert found.tables["purchases"]["quantity"].to_pylist() == [None, 1, 2]


def test_a_defective_record_is_in_no_table() -> None:
    spec = source({"type": "csv"})
    found = project(raw(b"id,user,text\n1,u\n2,u,hi\n", spec), spec, "test@abc")
    assert found.tables["events"]["row_ordinal"].to_pylist() == [1]
    assert [(p["row_ordinal"], p["reason"]) for p in found.problems.to_pylist()] == [(0, "too few columns")]


def test_only_defects() -> None:
    spec: SourceSpec = source({"type": "csv"})
    found = project(raw(b"", spec), spec, "test@abc")
    assert found.tables["events"].num_rows == 0
    assert found.problems["reason"].to_pylist() == ["unreadable: empty file, expected a header"]


def test_a_large_document_is_parsed() -> None:
    spec = source({"type": "ndjson"})
    content = b'{"id": "1", "text": "' + b"x" * 3_000_000 + b'"}\n{"id": "2"}\n'
    found = project(raw(content, spec, max_cell_bytes=1 << 22), spec, "test@abc").tables["events"]
    assert found["event_id"].to_pylist() == ["1", "2"]


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")), min_size=1, max_size=20
    )
)
def test_no_text_raises_whatever_the_type(texts: list[str]) -> None:
    columns = {
        "timestamp": "v",
        "quantity": "v",
        "unit_price": {"field": "v", "unit": "micros"},
        "country": "v",
    }
    found = _projected([(text,) for text in texts], {"purchases": {"columns": columns}})
    assert found.tables["purchases"].num_rows == len(texts)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.decimals(-(10**11), 10**11, places=6), min_size=1, max_size=20))
def test_every_amount_comes_back(values: list[Decimal]) -> None:
    found = _projected([(str(value),) for value in values], {"ad_spend": {"columns": {"spend": "v"}}})
    assert found.tables["ad_spend"]["spend"].to_pylist() == values
