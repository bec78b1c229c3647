"""Unusual days of KPIs, out of tables as a release has them: found by date and member, or not judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from marketing_platform.analytics.kpis import Ask, load_registry
from marketing_platform.analytics.kpis.anomalies import Anomaly, Found, anomalies_in, find_anomalies
from marketing_platform.analytics.kpis.watch import Watch, Watched, load_watch
from marketing_platform.errors import KpiError
from marketing_platform.settings import PROJECT_DIR
from marketing_platform_tests.analytics.kpi_tables import asking

REGISTRY = load_registry(PROJECT_DIR / "kpis")
FIRST, DAYS = date(2025, 1, 1), 130
LAST = FIRST + timedelta(days=DAYS - 1)
PLANTED = LAST - timedelta(days=9)
PLATFORMS = ("Meta", "Google", "Microsoft")
Change = Callable[[dict[str, Any]], dict[str, Any] | None]
SPEND = Watch(anomalies=(Watched(kpi="spend", by=("platform",)), Watched(kpi="cac")))


def lines(change: Change = lambda line: line) -> list[dict[str, Any]]:
    """A line per platform and day, with 10 % of noise; `change` plants something, or takes a line away."""
    rng = np.random.default_rng(11)
    made: list[dict[str, Any]] = []
    for number in range(DAYS):
        for place, platform in enumerate(PLATFORMS):
            spend = round(float((place + 1) * 100 * rng.normal(1, 0.1)), 2)
            line = {
                "date": FIRST + timedelta(days=number),
                "platform": platform,
                "account": "A",
                "level": "campaign",
                "campaign": "c",
                "currency": "USD",
                "spend": spend,
                "clicks": 100,
                "conversions": 20.0,
            }
            changed = change(line)
            made += [changed] if changed is not None else []
    return made


def asked(folder: Path, ads: list[dict[str, Any]]) -> Ask:
    return asking(folder, ads=[line | {"spend": Decimal(str(line["spend"]))} for line in ads])


def watched(folder: Path, change: Change = lambda line: line, watch: Watch = SPEND) -> Found:
    return find_anomalies(REGISTRY, watch, asked(folder, lines(change)))


def on(platform: str, day: date, **changed: Any) -> Change:
    return lambda line: line | changed if line["platform"] == platform and line["date"] == day else line


def days_of(found: Found) -> set[tuple[str, str | None, date]]:
    return {(one.kpi, one.member, one.day) for one in found.anomalies}


def test_a_quiet_release_has_nothing_to_tell_and_says_what_was_judged(tmp_path: Path) -> None:
    found = watched(tmp_path)
    assert found.anomalies == ()
    spend, cac = found.judged
    assert (spend.series, spend.days, spend.reason) == (4, 4 * 28, None)
    # The last day may be half a day.
    assert (cac.first, cac.last) == (LAST - timedelta(days=28), LAST - timedelta(days=1))


def test_a_planted_day_is_told_of_the_member_and_of_the_whole(tmp_path: Path) -> None:
    found = watched(tmp_path, on("Microsoft", PLANTED, spend=2_000.0))
    assert days_of(found) == {
        ("spend", "Microsoft", PLANTED),
        ("spend", None, PLANTED),
        ("cac", None, PLANTED),
    }
    (told,) = [one for one in found.anomalies if one.member == "Microsoft"]
    assert told.value == 2_000
    assert 100 < told.low < 270 < told.expected < 330 < told.high < 500
    assert (told.dimension, told.currency) == ("platform", "USD")
    assert {drawn.unusual for drawn in found.drawn} == {frozenset({PLANTED})}


def test_one_member_may_stand_out_where_the_whole_does_not(tmp_path: Path) -> None:
    found = watched(tmp_path, on("Meta", PLANTED, spend=10.0), Watch(anomalies=SPEND.anomalies[:1]))
    assert days_of(found) == {("spend", "Meta", PLANTED)}


def test_half_a_last_day_is_not_told(tmp_path: Path) -> None:
    found = watched(tmp_path, lambda line: line | {"spend": 1.0} if line["date"] == LAST else line)
    assert found.anomalies == ()


def test_a_day_on_which_an_account_is_missing_is_not_told(tmp_path: Path) -> None:
    """Microsoft is half of everything: without it, a day looks like half a day."""
    ends = LAST - timedelta(days=2)

    def change(line: dict[str, Any]) -> dict[str, Any] | None:
        late = line["date"] > ends or line["date"] == PLANTED
        if line["platform"] == "Microsoft" and late:
            return None
        return line | {"spend": 5.0} if line["platform"] == "Microsoft" and line["date"] == ends else line

    found = watched(tmp_path, change)
    assert found.anomalies == ()
    assert found.judged[0].last == ends - timedelta(days=1)


def test_days_that_nobody_reported_are_not_told(tmp_path: Path) -> None:
    gone = {PLANTED, PLANTED + timedelta(days=1)}
    assert watched(tmp_path, lambda line: None if line["date"] in gone else line).anomalies == ()


def test_money_that_cannot_be_added_is_said_not_to_be_judged(tmp_path: Path) -> None:
    found = watched(tmp_path, lambda line: line | {"currency": "EUR"} if line["platform"] == "Meta" else line)
    assert found.anomalies == ()
    assert all("without rates" in (one.reason or "") for one in found.judged)


@pytest.mark.parametrize(("days", "reason"), [(0, "no whole days"), (20, "84 days before it")])
def test_too_few_days_are_said_to_be_too_few(tmp_path: Path, days: int, reason: str) -> None:
    start = LAST - timedelta(days=days)
    found = watched(tmp_path, lambda line: line if days and line["date"] > start else None)
    assert all(reason in (one.reason or "") for one in found.judged)


def test_what_a_release_keeps_gives_the_same_anomalies(tmp_path: Path) -> None:
    found = watched(tmp_path, on("Meta", PLANTED, spend=2_000.0))
    kept = orjson.loads(orjson.dumps(found.document()))
    assert anomalies_in(kept) == found.anomalies
    assert isinstance(anomalies_in(kept)[0], Anomaly)


def test_a_ratio_is_watched_in_the_members_with_most_of_what_it_divides_by(tmp_path: Path) -> None:
    watch = Watch(anomalies=(Watched(kpi="cac", by=("platform",)),))
    found = watched(tmp_path, on("Google", PLANTED, conversions=1.0), watch)
    assert ("cac", "Google", PLANTED) in days_of(found)


def test_only_the_largest_members_are_watched(tmp_path: Path) -> None:
    many = [
        line | {"platform": f"p{number:02d}", "spend": round(line["spend"] * (number + 1), 2)}
        for line in lines()
        if line["platform"] == "Meta"
        for number in range(25)
    ]
    found = find_anomalies(REGISTRY, Watch(anomalies=SPEND.anomalies[:1]), asked(tmp_path, many))
    assert found.judged[0].series == 1 + 20


def test_a_watch_is_read_and_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    shipped = load_watch(PROJECT_DIR / "kpis", REGISTRY)
    assert {"spend", "conversions", "revenue"} <= {one.kpi for one in shipped.anomalies}
    assert shipped.forecasts == ("spend", "conversions", "revenue")
    assert load_watch(tmp_path, REGISTRY) == Watch()
    (tmp_path / "watch.yaml").write_text(
        "anomalies:\n"
        "  - {kpi: profit}\n"
        "  - {kpi: spend, by: [channel], sensitivity: normal}\n"
        "  - {kpi: repeat_rate}\n"
        "  - {kpi: spend, sensitivity: wild}\n"
        "forecasts: [cac]\n"
    )
    with pytest.raises(KpiError, match=r"watch.yaml:5: anomalies.*sensitivity"):
        load_watch(tmp_path, REGISTRY)
    (tmp_path / "watch.yaml").write_text((tmp_path / "watch.yaml").read_text().replace("wild", "low"))
    with pytest.raises(KpiError) as refused:
        load_watch(tmp_path, REGISTRY)
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == ["2", "3", "4", "6"]


@pytest.mark.parametrize("rates", [{}, {"EUR": 1}], ids=["refused", "converted"])
def test_declared_rates_make_money_of_two_currencies_one_series(
    tmp_path: Path, rates: dict[str, Any]
) -> None:
    workspace = REGISTRY.workspace.model_validate({**REGISTRY.workspace.model_dump(), "rates": rates})
    mixed = asked(
        tmp_path, lines(lambda line: line | {"currency": "EUR"} if line["platform"] == "Meta" else line)
    )
    (spend,) = find_anomalies(
        replace(REGISTRY, workspace=workspace), Watch(anomalies=SPEND.anomalies[:1]), mixed
    ).judged
    assert (spend.reason is None) is bool(rates)
