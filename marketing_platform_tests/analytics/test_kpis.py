"""KPIs: figures a person can check by hand, and what must hold of all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.analytics.kpis import (
    Filter,
    Period,
    Question,
    Registry,
    answer,
    contributions,
    load_registry,
)
from marketing_platform.errors import KpiError
from marketing_platform_tests.analytics.kpi_tables import asking
from marketing_platform_tests.conftest import PROJECT

REGISTRY = load_registry(PROJECT / "kpis")
JUNE = Period(date(2025, 6, 1), date(2025, 6, 30))


def ad(day: int, **given: Any) -> dict[str, Any]:
    """A line of an export at the level of campaigns, in June 2025."""
    line = {"platform": "Meta", "level": "campaign", "account": "A", "campaign": "c1", "country": "DE"}
    return {**line, "date": date(2025, 6, 1) + timedelta(days=day - 1), **given}


def money(amount: str) -> Decimal:
    return Decimal(amount)


def with_workspace(**given: Any) -> Registry:
    return replace(REGISTRY, workspace=REGISTRY.workspace.model_copy(update=given))


ADS = [
    ad(1, spend=money("100"), clicks=50, impressions=1_000, conversions=4.0, revenue=money("300")),
    ad(2, spend=money("20"), clicks=0, impressions=500, conversions=0.0, revenue=money("0"), country="AT"),
    ad(3, spend=money("60"), clicks=10, impressions=0, conversions=1.0, revenue=money("50"), campaign="c2"),
]


def test_ratios_are_ratios_of_sums(tmp_path: Path) -> None:
    found = answer(REGISTRY, Question(("cac", "roas", "ctr", "cpm"), JUNE), asking(tmp_path, ads=ADS)).total
    assert {name: value.value for name, value in found.values.items()} == {
        "cac": 36.0,  # 180 / 5
        "roas": pytest.approx(350 / 180),
        "ctr": 4.0,  # 60 of 1,500
        "cpm": 120.0,
    }


def test_the_warehouse_adds_up_and_reads_the_days_asked_about_alone(tmp_path: Path) -> None:
    """A row comes back for each line that is shown, however many there are below it."""
    lines = [
        ad(1 + n % 50, spend=money("1"), clicks=1, country=f"C{n % 3}", campaign=f"c{n}") for n in range(500)
    ]
    ask, fetched = asking(tmp_path, ads=lines), dict[str, int]()

    def counting(sql: str, tables: Sequence[str], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows = ask(sql, tables, parameters)
        fetched[sql] = len(rows)
        return rows

    found = answer(REGISTRY, Question(("spend", "cpc"), JUNE, by=("country",)), counting)
    assert len(found.lines) == 3
    for query in found.queries:
        assert fetched[query.sql] == 3
        assert "day BETWEEN $first AND $last" in query.sql
        assert (query.parameters["first"], query.parameters["last"]) == (JUNE.first, JUNE.last)


def test_a_denominator_of_zero_is_no_figure_and_says_why(tmp_path: Path) -> None:
    question = Question(("cac", "cpc"), JUNE, by=("country",))
    lines = answer(REGISTRY, question, asking(tmp_path, ads=ADS)).lines
    austria = next(line for line in lines if line.key == ("AT",))
    assert (austria.values["cac"].value, austria.values["cac"].reason) == (None, "there were no conversions")
    assert austria.values["cpc"].reason == "nobody clicked"


def test_no_data_is_not_zero(tmp_path: Path) -> None:
    total = answer(REGISTRY, Question(("spend", "cac"), JUNE), asking(tmp_path)).total
    assert {(value.value, value.reason) for value in total.values.values()} == {(None, "there is no data")}


def test_changes_know_which_way_is_good(tmp_path: Path) -> None:
    question = Question(("cac", "conversions", "spend"), Period(date(2025, 6, 3), date(2025, 6, 3)))
    compared = replace(question, against=Period(date(2025, 6, 1), date(2025, 6, 1)))
    total = answer(REGISTRY, compared, asking(tmp_path, ads=ADS)).total
    cac, conversions, spend = (total.values[name] for name in compared.kpis)
    assert (cac.value, cac.before, cac.change, cac.change_percent, cac.better) == (60, 25, 35, 140, False)
    assert (conversions.change_percent, conversions.better) == (-75, False)
    assert (spend.change, spend.better) == (-40, None)  # neither good nor bad


def test_filters_hold_for_both_periods(tmp_path: Path) -> None:
    question = Question(
        ("spend",),
        Period(date(2025, 6, 2), date(2025, 6, 3)),
        Period(date(2025, 6, 1), date(2025, 6, 1)),
        filters={"country": Filter(never=("AT",)), "campaign": Filter(only=("c1",))},
    )
    value = answer(REGISTRY, question, asking(tmp_path, ads=ADS)).total.values["spend"]
    assert (value.value, value.before) == (None, 100)


def test_periods_that_overlap_are_counted_apart(tmp_path: Path) -> None:
    question = Question(("spend",), Period(date(2025, 6, 2), date(2025, 6, 3)), JUNE)
    value = answer(REGISTRY, question, asking(tmp_path, ads=ADS)).total.values["spend"]
    assert (value.value, value.before) == (80, 180)


def test_currencies_are_converted_by_declared_rates_or_refused(tmp_path: Path) -> None:
    ads = [
        ad(1, spend=money("10"), currency="USD"),
        ad(1, spend=money("10"), currency="EUR"),
        ad(2, clicks=3),
    ]
    ask = asking(tmp_path, ads=ads)
    with pytest.raises(KpiError, match="one EUR is in USD under `rates`"):
        answer(REGISTRY, Question(("spend",), JUNE), ask)
    converted = answer(with_workspace(rates={"EUR": money("1.1")}), Question(("spend",), JUNE), ask)
    assert (converted.total.values["spend"].value, converted.currency) == (21, "USD")
    assert converted.notes == ("converted: 1 EUR = 1.1 USD",)
    # What is no money needs no rates.
    assert answer(REGISTRY, Question(("clicks",), JUNE), ask).total.values["clicks"].value == 3


def test_one_foreign_currency_stays_what_it_is(tmp_path: Path) -> None:
    found = answer(
        REGISTRY, Question(("spend",), JUNE), asking(tmp_path, ads=[ad(1, spend=money("5"), currency="EUR")])
    )
    assert (found.total.values["spend"].value, found.currency) == (5, "EUR")


def test_conversions_stand_for_revenue_where_a_source_declares_their_value(tmp_path: Path) -> None:
    ads = [
        ad(1, conversions=2.0, spend=money("50")),
        ad(2, conversions=1.0, revenue=money("30"), spend=money("1")),
    ]
    valued = with_workspace(value_per_conversion={"exports": money("100")})
    found = answer(valued, Question(("revenue",), JUNE), asking(tmp_path, ads=ads))
    assert (found.total.values["revenue"].value, found.notes) == (230, ())
    unvalued = answer(REGISTRY, Question(("revenue",), JUNE), asking(tmp_path / "b", ads=ads))
    assert unvalued.total.values["revenue"].value == 30
    assert unvalued.notes[0].startswith("2 conversions have no revenue")
    # Of days without any revenue there is no revenue, rather than none made; and one note says it all.
    ads = [ad(1, conversions=2.0), ad(2, conversions=3.0)]
    by_day = answer(
        valued,
        Question(("roas", "revenue"), JUNE, by=("day",)),
        asking(tmp_path / "c", ads=ads, source="others"),
    )
    assert {line.values["revenue"].reason for line in by_day.lines} == {"there is no data"}
    assert [note[:13] for note in by_day.notes] == ["5 conversions"]


def test_levels_of_one_account_are_never_added_up(tmp_path: Path) -> None:
    ads = [
        ad(1, spend=money("10"), country=None),
        ad(1, spend=money("10"), level="ad", country=None),
        ad(1, spend=money("9"), level="geography"),
        ad(1, spend=money("5"), account="B", level="account", country=None, campaign=None),
    ]
    ask = asking(tmp_path, ads=ads)
    assert answer(REGISTRY, Question(("spend",), JUNE), ask).total.values["spend"].value == 15
    by_country = answer(REGISTRY, Question(("spend",), JUNE, by=("country",)), ask)
    assert [(line.key, line.values["spend"].value) for line in by_country.lines] == [(("DE",), 9)]
    assert by_country.notes == ("Meta, account B: left out, its exports do not say country",)


def test_rankings_put_the_best_first_and_what_has_no_value_last(tmp_path: Path) -> None:
    ask = asking(tmp_path, ads=[*ADS, ad(4, spend=money("9"), country="CH", conversions=0.0)])

    def ranked(**how: Any) -> list[str | None]:
        question = Question(("cac",), JUNE, by=("campaign", "country"), order_by="cac", **how)
        return [f"{line.key[0]} {line.key[1]}" for line in answer(REGISTRY, question, ask).lines]

    assert ranked()[:2] == ["c1 DE", "c2 DE"]  # the cheapest is the best
    assert ranked(order="worst")[:2] == ranked(order="highest")[:2] == ["c2 DE", "c1 DE"]
    assert ranked(limit=1) == ["c1 DE"]


def test_missing_days_are_named_and_partial_weeks_marked(tmp_path: Path) -> None:
    period = Period(date(2025, 6, 1), date(2025, 6, 5))
    ask = asking(tmp_path, ads=[ad(1, spend=money("1")), ad(2, spend=money("1")), ad(5, spend=money("1"))])
    found = answer(REGISTRY, Question(("spend",), period, by=("week",)), ask)
    assert found.missing_days == (date(2025, 6, 3), date(2025, 6, 4))
    assert found.last_day == date(2025, 6, 5)
    assert [(line.key, line.partial) for line in found.lines] == [
        (("2025-W22",), True),
        (("2025-W23",), True),
    ]


def test_a_trend_is_laid_over_the_same_places_of_the_period_before(tmp_path: Path) -> None:
    days = Period(date(2025, 6, 3), date(2025, 6, 4))
    ask = asking(tmp_path, ads=[ad(day, clicks=day) for day in (1, 2, 3, 4)])
    lines = answer(REGISTRY, Question(("clicks",), days, days.before(), by=("day",)), ask).lines
    assert [(line.key[0], line.values["clicks"].value, line.values["clicks"].before) for line in lines] == [
        ("2025-06-03", 3, 1),
        ("2025-06-04", 4, 2),
    ]


def bought(user: str | None, order: str, day: int, quantity: int = 1, country: str = "DE") -> dict[str, Any]:
    return {
        "user_id": user,
        "order_id": order,
        "timestamp": datetime(2025, 6, day, 12, tzinfo=UTC),
        "quantity": quantity,
        "unit_price": money("10"),
        "country": country,
    }


def test_customers_are_counted_once_however_they_are_broken_down(tmp_path: Path) -> None:
    purchases = [
        bought("ann", "o1", 1),
        bought("ann", "o2", 2, country="AT"),
        bought("bob", "o3", 2),
        bought("bob", "o3", 2),  # another line of one order
        bought(None, "o4", 3),
        bought("bob", "r1", 4, quantity=-1),
    ]
    ask = asking(tmp_path, purchases=purchases)
    found = answer(REGISTRY, Question(("repeat_rate",), JUNE, by=("country",)), ask)
    assert [(line.key, line.values["repeat_rate"].value) for line in found.lines] == [
        (("AT",), 0),
        (("DE",), 0),
    ]
    assert found.total.values["repeat_rate"].value == 50
    total = answer(REGISTRY, Question(("sales", "orders", "aov"), JUNE), ask).total
    assert [total.values[name].value for name in ("sales", "orders", "aov")] == [40, 4, 10]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(("profit",), JUNE), "no such KPI; there are spend"),
        (
            Question(("aov",), JUNE, by=("campaign",)),
            "AOV cannot be broken down by campaign; it can by source, country",
        ),
        (Question(("repeat_rate",), JUNE, by=("day",)), "cannot be broken down by day"),
        (Question(("spend",), JUNE, by=("day", "week")), "only one of day"),
        (Question(("spend",), JUNE, order_by="cac"), "which is not asked for"),
        (Question(("spend",), JUNE, limit=0), "between 1 and"),
        (Question((), JUNE), "which KPI"),
    ],
    ids=["kpi", "dimension", "customers by day", "two buckets", "order", "limit", "nothing"],
)
def test_what_cannot_be_asked_is_refused_with_what_can(
    question: Question, message: str, tmp_path: Path
) -> None:
    with pytest.raises(KpiError, match=message):
        answer(REGISTRY, question, asking(tmp_path))


def test_values_of_filters_are_bound_and_never_sql(tmp_path: Path) -> None:
    hostile = "x') OR ('1'='1"
    question = Question(("spend",), JUNE, filters={"country": Filter(only=(hostile,))})
    found = answer(REGISTRY, question, asking(tmp_path, ads=ADS))
    assert found.total.values["spend"].value is None
    assert all(hostile not in query.sql for query in found.queries)


_LINES = st.lists(
    st.builds(
        ad,
        st.integers(1, 30),
        country=st.sampled_from(["DE", "AT", None]),
        campaign=st.sampled_from(["c1", "c2"]),
        spend=st.decimals(0, 10_000, places=2),
        conversions=st.integers(0, 50).map(float),
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.slow
@given(lines=_LINES, cut=st.integers(2, 30))
@settings(max_examples=25, deadline=None)
def test_parts_add_up_to_the_whole_and_contributions_to_the_change(
    lines: list[dict[str, Any]], cut: int
) -> None:
    last = date(2025, 6, 1) + timedelta(days=cut - 1)
    late, early = Period(last, JUNE.last), Period(JUNE.first, last - timedelta(days=1))
    with tempfile.TemporaryDirectory() as folder:
        ask = asking(Path(folder), ads=lines)
        by_country = answer(REGISTRY, Question(("spend", "cac"), late, early, by=("country",)), ask)
        spend = [line.values["spend"].value or 0 for line in by_country.lines]
        assert sum(spend) == pytest.approx(by_country.total.values["spend"].value or 0)
        change = by_country.total.values["cac"].change
        if change is not None:
            why = contributions(REGISTRY, Question(("cac",), late, early), "country", ask)
            assert sum(one.amount for one in why) == pytest.approx(change, abs=1e-6)


@given(st.dates(date(1990, 1, 1), date(2060, 12, 31)), st.integers(0, 500))
def test_the_year_before_keeps_ends_of_months(first: date, days: int) -> None:
    period = Period(first, first + timedelta(days=days))
    earlier = period.year_before()
    ends = (period.last + timedelta(days=1)).day == 1
    assert abs(earlier.days - period.days) <= 1
    assert not ends or (earlier.last + timedelta(days=1)).day == 1
    assert period.before().days == period.days


def test_days_of_moments_begin_at_midnight_of_the_workspace(tmp_path: Path) -> None:
    late = {**bought("ann", "o1", 1), "timestamp": datetime(2025, 6, 1, 22, 30, tzinfo=UTC)}
    for time_zone, day in (("UTC", 1), ("Europe/Berlin", 2), ("America/New_York", 1)):
        ask = asking(tmp_path / time_zone.replace("/", "-"), purchases=[late], time_zone=time_zone)
        lines = answer(REGISTRY, Question(("orders",), JUNE, by=("day",)), ask).lines
        assert [line.key for line in lines] == [(f"2025-06-{day:02d}",)]
        (bought_on,) = ask("SELECT day FROM buyer_days", ["buyer_days"], {})
        assert bought_on["day"] == date(2025, 6, day)


def test_a_level_answers_for_its_own_days_and_accounts_not_asked_about_are_not_mentioned(
    tmp_path: Path,
) -> None:
    ads = [
        ad(1, spend=money("10")),
        ad(20, spend=money("7"), level="account", campaign=None, country=None),
        ad(20, spend=money("3"), level="account", platform="Google", campaign=None, country=None),
    ]
    ask = asking(tmp_path, ads=ads)
    late = Period(date(2025, 6, 15), JUNE.last)
    # In the second half of June this account's figures are known by account only.
    assert answer(REGISTRY, Question(("spend",), late), ask).total.values["spend"].value == 10
    # In all of June there is no one level to take; what is left out is said.
    whole = answer(REGISTRY, Question(("spend",), JUNE), ask)
    assert whole.total.values["spend"].value == 13
    assert whole.notes == (
        "Meta, account A: only lines of level campaign are counted;"
        " there are days that only other levels have",
    )
    by_country = Question(("spend",), JUNE, by=("country",))
    assert answer(REGISTRY, by_country, ask).notes == (
        "Google, account A: left out, its exports do not say country",
    )
    only = replace(by_country, filters={"platform": Filter(only=("Meta",))})
    assert answer(REGISTRY, only, ask).notes == ()


_PLATFORMS, _COUNTRIES, _DEVICES = ("Meta", "Google"), ("DE", "AT", None), ("phone", None)
_DAYS = st.builds(
    lambda days: Period(min(days), max(days)),
    st.lists(st.dates(JUNE.first, JUNE.last), min_size=1, max_size=2),
)
_MIXED = st.lists(
    st.builds(
        ad,
        st.integers(1, 30),
        platform=st.sampled_from(_PLATFORMS),
        account=st.sampled_from(["A", None]),
        country=st.sampled_from(_COUNTRIES),
        device=st.sampled_from(_DEVICES),
        spend=st.none() | st.decimals(0, 10_000, places=2),
        conversions=st.none() | st.integers(0, 50).map(float),
    ),
    max_size=25,
)


def _filter(values: tuple[str | None, ...]) -> st.SearchStrategy[Filter]:
    said = st.sets(st.sampled_from([value for value in values if value]), max_size=1).map(tuple)
    return st.builds(Filter, only=said, never=said)


_QUESTIONS = st.builds(
    Question,
    kpis=st.just(("spend", "cac")),
    period=_DAYS,
    against=st.none() | _DAYS,
    by=st.lists(st.sampled_from(["platform", "country", "device"]), unique=True, max_size=3).map(tuple),
    filters=st.fixed_dictionaries(
        {},
        optional={
            "platform": _filter(_PLATFORMS),
            "country": _filter(_COUNTRIES),
            "device": _filter(_DEVICES),
        },
    ),
)
_Sums = dict[tuple[Any, ...], list[tuple[Decimal | None, float | None]]]


def _by_hand(lines: list[dict[str, Any]], question: Question, period: Period) -> _Sums:
    """(spend, conversions) of the lines of each key, the slow way."""

    def passes(line: dict[str, Any], name: str) -> bool:
        asked, value = question.filters.get(name, Filter()), line[name]
        return (not asked.only or value in asked.only) and value not in asked.never

    needed = [name for name in ("country", "device") if name in question.by or name in question.filters]
    accounts = {(line["platform"], line["account"]) for line in lines}
    able = {
        who
        for who in accounts
        if all(
            any((one["platform"], one["account"]) == who and one[name] for one in lines) for name in needed
        )
    }
    found: _Sums = {}
    for line in lines:
        counts = (line["platform"], line["account"]) in able and line["date"] in period
        if counts and all(passes(line, name) for name in question.filters):
            key = tuple(line[name] for name in question.by)
            found.setdefault(key, []).append((line["spend"], line["conversions"]))
    return found


def _worked_out(rows: list[tuple[Decimal | None, float | None]]) -> dict[str, float | None]:
    spent = [float(spend) for spend, _ in rows if spend is not None]
    converted = [count for _, count in rows if count is not None]
    whole = sum(spent) if spent else None
    return {"spend": whole, "cac": whole / sum(converted) if whole is not None and sum(converted) else None}


@pytest.mark.slow
@given(lines=_MIXED, question=_QUESTIONS)
@settings(max_examples=30, deadline=None)
def test_answers_are_those_of_adding_up_by_hand(lines: list[dict[str, Any]], question: Question) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = answer(REGISTRY, question, asking(Path(folder), ads=lines))
    now = _by_hand(lines, question, question.period)
    before = _by_hand(lines, question, question.against) if question.against else {}
    asked = {line.key: line.values for line in found.lines} if question.by else {(): found.total.values}
    assert set(asked) == (now.keys() | before.keys() if question.by else {()})
    for key, values in asked.items():
        ours, earlier = _worked_out(now.get(key, [])), _worked_out(before.get(key, []))
        for kpi, value in values.items():
            assert value.value == (None if ours[kpi] is None else pytest.approx(ours[kpi]))
            assert value.before == (None if earlier[kpi] is None else pytest.approx(earlier[kpi]))
