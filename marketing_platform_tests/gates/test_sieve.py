"""The sieve leaves to Great Expectations whatever Great Expectations refuses, and hardly more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform import catalog
from marketing_platform.catalog import ColumnType
from marketing_platform.errors import ExpectationError
from marketing_platform.gates import RowGate, Suites, judge_batch, judge_table, rows, verdicts
from marketing_platform.gates.sieve import left_over
from marketing_platform.gates.suites import Rule
from marketing_platform_tests.gates.conftest import typed

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)
TEXTS = [
    "",
    " ",
    "message",
    "view",
    "Email",
    "email",
    "app",
    "GBP",
    "GBP\n",
    "gbp",
    "a@b.co",
    "a@b",
    "é@ü.de",
]
LONG = ["x" * 255 + end for end in ("", "x", "xx", "é", "éé")]
MOMENT = timedelta(microseconds=1)
START = datetime(2000, 1, 1, tzinfo=UTC)
VALUES: Mapping[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.STRING: st.sampled_from(TEXTS + LONG),
    ColumnType.INTEGER: st.sampled_from([-(2**63), -1, 0, 1, 5, 6, 2**53 + 1, 2**63 - 1]),
    ColumnType.NUMBER: st.sampled_from(
        [-1e300, -1e-12, -0.0, 0.0, 0.5, 1.0, 1.0000000000000002, float("nan")]
    ),
    ColumnType.MONEY: st.sampled_from([Decimal(0), Decimal("-0.000001"), Decimal("999999999999.999999")]),
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.DATE: st.sampled_from(
        [date(1999, 12, 31), date(2000, 1, 1), date(2026, 6, 2), date(2026, 6, 3)]
    ),
    ColumnType.TIMESTAMP: st.sampled_from([START - MOMENT, START, NOW, TOMORROW, TOMORROW + MOMENT]),
}


def chunks(table: str) -> st.SearchStrategy[pa.Table]:
    cells = {c.name: st.none() | VALUES[c.type] for c in catalog.table(table).columns}
    return st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=12).map(
        lambda rows: typed(table, rows)
    )


def rule(kind: str, **kwargs: Any) -> Rule:
    return Rule("rule", "purchases", "row", "broken", "A rule.", kind, kwargs, None)  # type: ignore[arg-type]


def pair(a: str, b: str, **kwargs: Any) -> Rule:
    kind, missing = "expect_column_pair_values_a_to_be_greater_than_b", "either_value_is_missing"
    return rule(kind, column_A=a, column_B=b, ignore_row_if=missing, **kwargs)


def refused(suites: Suites, table: str, chunk: pa.Table, *, by_library_alone: bool) -> list[dict[str, Any]]:
    sieve = (lambda *_: None) if by_library_alone else left_over
    with patch.object(rows, "left_over", sieve):
        return RowGate(suites, now=NOW).problems(table, chunk).to_pylist()


@pytest.mark.slow
@pytest.mark.parametrize("table", catalog.tables())
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_the_same_rows_are_refused_as_by_the_library_alone(
    suites: Suites, table: str, data: st.DataObject
) -> None:
    chunk = data.draw(chunks(table))
    expected = refused(suites, table, chunk, by_library_alone=True)
    assert refused(suites, table, chunk, by_library_alone=False) == expected
    left = left_over(suites.row_rules(table), chunk, {"tomorrow": TOMORROW})
    assert left is not None
    doubted = set(chunk["row_ordinal"].filter(left).to_pylist())
    long = {row["row_ordinal"] for row in chunk.to_pylist() for cell in row.values() if "xé" in str(cell)}
    assert doubted - long == {problem["row_ordinal"] for problem in expected} - long


FORMS = [
    rule("expect_column_values_to_be_between", column="quantity", min_value=0, strict_min=True),
    rule("expect_column_values_to_be_between", column="quantity", max_value=5, strict_max=True),
    rule("expect_column_values_to_be_between", column="quantity", min_value=-0.5, max_value=5.5),
    rule("expect_column_values_to_be_between", column="unit_price", min_value=0, max_value=10**12),
    rule("expect_column_values_to_be_between", column="timestamp", max_value="2026-06-01T12:00:00+00:00"),
    rule("expect_column_values_to_not_be_in_set", column="currency", value_set=["GBP", "gbp"]),
    rule("expect_column_values_to_be_in_set", column="quantity", value_set=[0, 1]),
    rule("expect_column_values_to_match_regex", column="currency", regex="(?i)^gbp$"),
    rule("expect_column_values_to_not_match_regex", column="currency", regex="^gbp$"),
    rule("expect_column_values_to_be_unique", column="quantity"),
]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.type}-{'-'.join(form.kwargs)}")
@settings(max_examples=15, deadline=None)
@given(chunk=chunks("purchases"))
def test_any_form_of_a_rule_refuses_what_the_library_refuses(form: Rule, chunk: pa.Table) -> None:
    suites = Suites((form,), "", frozenset(), ())
    expected = refused(suites, "purchases", chunk, by_library_alone=True)
    assert refused(suites, "purchases", chunk, by_library_alone=False) == expected


@pytest.mark.parametrize(
    "form",
    [
        rule("expect_column_values_to_be_unique", column="quantity"),
        rule("expect_column_values_to_be_between", column="quantity", min_value="a"),
        rule("expect_column_values_to_be_between", column="absent", min_value=0),
        rule("expect_column_values_to_be_between", column="timestamp", min_value="2026-06-01"),
        rule("expect_column_values_to_be_between", column="timestamp", min_value="yesterday"),
        rule("expect_column_values_to_be_in_set", column="currency", value_set=[]),
        rule("expect_column_values_to_be_in_set", column="currency", value_set=["GBP", 1]),
        rule("expect_column_values_to_match_regex", column="currency", regex="("),
        rule("expect_column_values_to_match_regex", column="quantity", regex="5"),
        rule("expect_column_values_to_not_be_null", column="quantity", unheard_of=1),
        rule("expect_column_pair_values_a_to_be_greater_than_b", column_A="quantity", column_B="quantity"),
        pair("quantity", "absent"),
        pair("quantity", "unit_price"),
        pair("currency", "currency"),
        pair("quantity", "quantity", mostly=1),
    ],
    ids=lambda form: f"{form.type}-{form.kwargs}",
)
def test_what_the_sieve_does_not_know_is_left_to_the_library(form: Rule) -> None:
    assert left_over([form], typed("purchases", [{}]), {}) is None


def test_rows_that_break_no_rule_do_not_need_the_library(suites: Suites) -> None:
    row = {"event_id": "e", "user_id": "u", "timestamp": NOW, "event_type": "view", "campaign_id": "c"}
    good = {"rows_landed": 9, "rows_valid": 9, "rows_quarantined": 0, "share_valid": 1.0}
    with patch.object(rows, "Judge", side_effect=AssertionError), patch.object(verdicts, "Judge") as judge:
        assert not RowGate(suites, now=NOW).problems("events", typed("events", [row] * 3)).num_rows
        assert all(v.passed for v in judge_batch(suites, {**good, "unreadable": 0, "not_conserved": 0}))
    judge.assert_not_called()


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_verdicts_on_figures_are_those_of_the_library(suites: Suites, data: st.DataObject) -> None:
    figures = st.none() | st.sampled_from([-3651, -1, 0, 0.05, 0.0500001, 0.95, 1, 2, 3650])
    for table in ("events", "purchases", "ad_spend"):
        columns = {column for one in suites.table_rules(table) for column in one.columns}
        profile = data.draw(st.fixed_dictionaries(dict.fromkeys(sorted(columns), figures)))
        found = [(verdict.rule, verdict.passed) for verdict in judge_table(suites, table, profile)]
        with patch.object(verdicts, "left_over", lambda *_: None):
            assert [(v.rule, v.passed) for v in judge_table(suites, table, profile)] == found


def test_a_rule_that_cannot_be_evaluated_stops_the_chunk_all_the_same(suites: Suites) -> None:
    chunk = typed("events", [{"timestamp": NOW}]).set_column(2, "timestamp", pa.array(["noon"]))
    with pytest.raises(ExpectationError, match="could not be evaluated"):
        RowGate(suites, now=NOW).problems("events", chunk)
