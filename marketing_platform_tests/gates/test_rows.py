"""Which rows the row rules find, with what reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform import catalog
from marketing_platform.errors import ExpectationError
from marketing_platform.gates import PROBLEMS_SCHEMA, RowGate, Suites
from marketing_platform_tests.gates.conftest import typed

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVENT = {"event_id": "e", "user_id": "u", "timestamp": NOW, "event_type": "view", "campaign_id": "c"}
PURCHASE = {
    "purchase_id": "p",
    "product_id": "x",
    "timestamp": NOW,
    "quantity": 1,
    "unit_price": Decimal(1),
}
SPEND = {"date": date(2026, 5, 1), "platform": "Meta", "spend": Decimal(1)}


@pytest.fixture(scope="module")
def gate(suites: Suites) -> RowGate:
    return RowGate(suites, now=NOW)


def _found(gate: RowGate, table: str, rows: list[dict[str, Any]]) -> set[tuple[int, str]]:
    problems = gate.problems(table, typed(table, rows))
    assert problems.schema == PROBLEMS_SCHEMA
    return set(zip(problems["row_ordinal"].to_pylist(), problems["reason"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("table", "good", "cells", "reasons"),
    [
        ("events", EVENT, {"channel": None, "message": None}, set()),
        ("events", EVENT, {"event_type": None}, {"event_type missing"}),
        ("events", EVENT, {"user_id": None, "event_type": "x"}, {"user_id missing", "event_type unknown"}),
        ("events", EVENT, {"timestamp": NOW + timedelta(hours=23)}, set()),
        ("events", EVENT, {"timestamp": NOW + timedelta(hours=25)}, {"timestamp out of range"}),
        ("events", EVENT, {"timestamp": datetime(1969, 7, 20, tzinfo=UTC)}, {"timestamp out of range"}),
        ("purchases", PURCHASE, {"user_id": None, "unit_price": Decimal(0), "quantity": -80_995}, set()),
        ("purchases", PURCHASE, {"unit_price": Decimal("-0.000001")}, {"unit_price negative"}),
        ("purchases", PURCHASE, {"quantity": 0}, {"quantity zero"}),
        ("purchases", PURCHASE, {"satisfaction": 0}, {"satisfaction out of range"}),
        ("purchases", PURCHASE, {"currency": "GBP\n"}, {"currency malformed"}),
        ("ad_spend", SPEND, {"conversions": 0.25, "clicks": 5, "impressions": 4}, set()),
        ("ad_spend", SPEND, {"date": date(2026, 6, 3)}, {"date out of range"}),
        ("ad_spend", SPEND, {"clicks": -1, "platform": None}, {"clicks negative", "platform missing"}),
        ("users", {"user_id": "u"}, {"email": "a@b.co"}, set()),
        ("users", {"user_id": "u"}, {"email": "a@b"}, {"email malformed"}),
        ("users", {"user_id": "u"}, {"email": "a@b.co\n"}, {"email malformed"}),
        ("campaigns", {"campaign_id": "c"}, {"ends_on": date(2026, 1, 1)}, set()),
        (
            "campaigns",
            {"campaign_id": "c", "starts_on": date(2026, 1, 2)},
            {"ends_on": date(2026, 1, 1)},
            {"ends_on before starts_on"},
        ),
        ("interests", {"user_id": "u", "interest": "tea"}, {"strength": 1.0}, set()),
        ("interests", {"user_id": "u", "interest": "tea"}, {"strength": 1.01}, {"strength out of range"}),
    ],
)
def test_a_row_is_refused_for_exactly_these_reasons(
    gate: RowGate, table: str, good: dict[str, Any], cells: dict[str, Any], reasons: set[str]
) -> None:
    assert _found(gate, table, [good, good | cells, good]) == {(1, reason) for reason in reasons}


def test_null_breaks_only_rules_that_ask_for_a_value(gate: RowGate, suites: Suites) -> None:
    for name in catalog.tables():
        required = {rule.reason for rule in suites.row_rules(name) if rule.type.endswith("not_be_null")}
        assert {reason for _, reason in _found(gate, name, [{}])} == required


def test_a_problem_names_row_column_rule_and_value(gate: RowGate) -> None:
    rows = typed("events", [EVENT, EVENT | {"channel": "pigeon"}]).set_column(
        8, "row_ordinal", pa.array([700, 701], pa.int64())
    )
    assert gate.problems("events", rows).to_pylist() == [
        {
            "row_ordinal": 701,
            "table": "events",
            "column": "channel",
            "reason": "channel unknown",
            "rule": "events_channel_unknown",
            "value": "pigeon",
        }
    ]


def test_chunks_do_not_leak_into_each_other(gate: RowGate) -> None:
    assert _found(gate, "events", [EVENT | {"channel": "pigeon"}] * 3)
    assert not _found(gate, "events", [EVENT] * 3)
    assert not gate.problems("events", typed("events", [])).num_rows


def test_a_rule_that_cannot_be_evaluated_stops_the_chunk(gate: RowGate) -> None:
    rows = typed("events", [EVENT])
    with pytest.raises(ExpectationError, match="events_timestamp_out_of_range: could not be evaluated"):
        gate.problems("events", rows.set_column(2, "timestamp", pa.array(["noon"])))


def test_nothing_is_printed(gate: RowGate, capfd: pytest.CaptureFixture[str]) -> None:
    _found(gate, "events", [EVENT] * 10)
    assert capfd.readouterr() == ("", "")
