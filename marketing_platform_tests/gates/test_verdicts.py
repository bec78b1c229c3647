"""Profiles of tables and batches, and the verdicts about them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from marketing_platform import catalog
from marketing_platform.gates import (
    Suites,
    batch_profile,
    judge_batch,
    judge_table,
    profile_columns,
    profile_sql,
)
from marketing_platform_tests.gates.conftest import typed

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _profile(table: str, rows: pa.Table) -> dict[str, Any]:
    with duckdb.connect() as connection:
        connection.register(table, rows)
        found = connection.sql(profile_sql(catalog.table(table)), params={"now": NOW}).to_arrow_table()
    assert found.num_rows == 1
    assert tuple(found.column_names) == profile_columns(catalog.table(table))
    return found.to_pylist()[0]


def test_figures_of_a_small_table() -> None:
    first = {
        "date": date(2026, 5, 30),
        "platform": "Meta",
        "spend": Decimal("1.10"),
        "clicks": 3,
        "revenue": None,
    }
    profile = _profile("ad_spend", typed("ad_spend", [first, first, first | {"date": date(2026, 5, 29)}]))
    assert profile["rows"] == 3
    assert profile["key__duplicates"] == 1
    assert profile["key__duplicate_share"] == pytest.approx(1 / 3)
    assert profile["date__days_ahead"] == -2
    assert (profile["date__min"], profile["date__max"]) == (date(2026, 5, 29), date(2026, 5, 30))
    assert (profile["clicks__min"], profile["clicks__sum"]) == (3, 9)
    assert profile["spend__sum"] == pytest.approx(3.30)
    assert (profile["revenue__nulls"], profile["revenue__null_share"], profile["revenue__sum"]) == (
        3,
        1,
        None,
    )


def test_days_ahead_of_a_moment_are_fractions() -> None:
    rows = typed("events", [{"timestamp": NOW - timedelta(days=9)}, {"timestamp": NOW + timedelta(hours=6)}])
    assert _profile("events", rows)["timestamp__days_ahead"] == pytest.approx(0.25)


@pytest.mark.parametrize("name", sorted(catalog.tables()))
def test_an_absent_input_breaks_no_rule(suites: Suites, name: str) -> None:
    verdicts = judge_table(suites, name, _profile(name, typed(name, [])))
    assert [verdict.rule for verdict in verdicts] == [rule.rule for rule in suites.table_rules(name)]
    assert all(verdict.passed for verdict in verdicts), verdicts


def test_a_repeated_user_fails_with_words_to_show(suites: Suites) -> None:
    rows = typed("users", [{"user_id": "u"}, {"user_id": "v"}, {"user_id": "u"}])
    (verdict,) = judge_table(suites, "users", _profile("users", rows))
    assert not verdict.passed
    assert verdict.reason == "users appear more than once"
    assert verdict.observed == "key__duplicates = 1"
    assert verdict.expected == "key__duplicates at most 0"


@pytest.mark.parametrize("profile", [{}, {"rows": 1}, {"rows": 1, "key__duplicates": "many"}])
def test_a_rule_that_cannot_be_evaluated_has_not_passed(suites: Suites, profile: dict[str, Any]) -> None:
    (verdict,) = judge_table(suites, "users", profile)
    assert not verdict.passed
    assert "could not be evaluated" in verdict.reason


@pytest.mark.parametrize(
    ("counts", "failing"),
    [
        ((0, 0, 0, 0), set()),
        ((1000, 970, 30, 0), set()),
        ((1000, 950, 50, 0), set()),
        ((1000, 949, 51, 0), {"share_valid"}),
        ((1000, 920, 80, 0), {"share_valid"}),
        ((1000, 999, 1, 1), {"readable"}),
        ((1000, 999, 0, 0), {"conserved"}),
        ((1000, 1000, 1, 0), {"conserved"}),
    ],
)
def test_admission_of_a_batch(suites: Suites, counts: tuple[int, int, int, int], failing: set[str]) -> None:
    landed, valid, quarantined, unreadable = counts
    profile = batch_profile(landed=landed, valid=valid, quarantined=quarantined, unreadable=unreadable)
    verdicts = judge_batch(suites, profile)
    assert len(verdicts) == 3
    assert {verdict.rule for verdict in verdicts if not verdict.passed} == failing
