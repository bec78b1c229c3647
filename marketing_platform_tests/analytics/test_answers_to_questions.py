"""Answers to questions over tables of a release: figures, sentences, charts, golden questions."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from marketing_platform.analytics.kpis.answering import Ask
from marketing_platform.analytics.questions import Asked, Reader, ask, known_facts
from marketing_platform.analytics.questions.golden import judge_golden, load_golden, right_share
from marketing_platform.errors import KpiError
from marketing_platform_tests.analytics.asked import REGISTRY
from marketing_platform_tests.analytics.kpi_tables import asking

HOSTILE = "x'); DROP TABLE kpi_daily; --"


def ad(day: date, spend: str, conversions: float, **given: Any) -> dict[str, Any]:
    line = {"platform": "Meta", "level": "campaign", "account": "A", "campaign": "c1", "country": "MX"}
    return {**line, "date": day, "spend": Decimal(spend), "conversions": conversions, "clicks": 10, **given}


def lines() -> Iterator[dict[str, Any]]:
    """April: 10 a conversion. May: Meta 20, Google 10; one day is missing, one has no conversions."""
    for number in range(30):
        day = date(2025, 4, 1) + timedelta(days=number)
        yield ad(day, "100", 10.0)
        yield ad(day, "100", 10.0, platform="Google", country="CA")
    for number in range(31):
        day = date(2025, 5, 1) + timedelta(days=number)
        if number == 2:
            continue
        yield ad(day, "200", 10.0 if number else 0.0)
        yield ad(day, "100", 10.0 if number else 0.0, platform="Google", country="CA", campaign=HOSTILE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    return asking(tmp_path_factory.mktemp("kpis"), ads=list(lines()))


@pytest.fixture(scope="module")
def reader(run: Ask) -> Reader:
    return Reader(REGISTRY, known_facts(REGISTRY, run))


def answered(text: str, reader: Reader, run: Ask) -> Asked:
    asked = ask(REGISTRY, reader, text, run)
    assert asked.declined is None, asked.declined
    json.dumps(asked.document())
    return asked


def test_a_figure_says_its_unit_its_change_and_what_lacks(reader: Reader, run: Ask) -> None:
    asked = answered("CAC in May vs April", reader, run)
    assert asked.interpretation == "CAC, May 2025, compared with April 2025"
    assert asked.sentence == (
        "May 2025: CAC 15.52 USD, 55.17 % more than 10.00 USD in April 2025, which is worse."
        " 1 day of the period without data: 2025-05-03."
    )
    row = asked.rows[0]
    assert (row["cac"], row["cac_before"]) == (pytest.approx(9000 / 580), 10)
    assert row["cac_better"] is False
    assert asked.chart is not None
    assert [point["name"] for point in asked.chart["data"]["values"]] == ["before", "now"]


def test_why_names_what_the_change_is_made_of(reader: Reader, run: Ask) -> None:
    asked = answered("why did CAC rise in May?", reader, run)
    assert asked.sentence.startswith(
        "CAC 15.52 USD, 55.17 % more than 10.00 USD in April 2025, which is worse."
    )
    assert sum(row["contribution"] for row in asked.rows) == pytest.approx(9000 / 580 - 10)
    by_platform = answered("why did CAC rise in May by platform?", reader, run)
    assert "By platform, most came from Meta +5." in by_platform.sentence
    denied = answered("why did CAC fall in May?", reader, run)
    assert denied.sentence.startswith("CAC did not fall: CAC 15.52 USD")


def test_shares_name_the_part_that_was_asked_for(reader: Reader, run: Ask) -> None:
    asked = answered("what share of spend went to Meta in May", reader, run)
    assert asked.sentence.startswith("Of 9,000.00 USD Spend: Meta 66.7 % (6,000.00 USD).")
    assert {row["platform"]: round(row["spend_share"], 3) for row in asked.rows} == {
        "Google": 0.333,
        "Meta": 0.667,
    }


def test_rankings_trends_and_breakdowns_have_charts(reader: Reader, run: Ask) -> None:
    ranked = answered("top 1 platforms by CAC in May", reader, run)
    assert ranked.sentence.startswith("CAC by platform, best first: Google 10.34 USD (in total 15.52 USD).")
    trend = answered("weekly spend by platform in April", reader, run)
    assert trend.chart is not None
    assert trend.chart["mark"]["type"] == "line"
    assert trend.chart["encoding"]["color"]["field"] == "name"
    assert "Not whole: 2025-W14, 2025-W18." in trend.sentence
    bars = answered("spend by country in April", reader, run)
    assert bars.chart is not None
    assert bars.chart["mark"] == "bar"
    assert bars.chart["description"] == bars.sentence


def test_no_figure_says_why(reader: Reader, run: Ask) -> None:
    asked = answered("CAC on 1 May 2025", reader, run)
    assert asked.sentence == "2025-05-01: CAC no figure (there were no conversions)."
    assert asked.rows == ({"cac": None, "cac_reason": "there were no conversions"},)


def test_values_are_bound_and_never_sql(reader: Reader, run: Ask) -> None:
    asked = answered(f"spend of campaign {HOSTILE} in May", reader, run)
    assert asked.rows == ({"spend": 3000.0},)
    shown = asked.document()["sql"]
    assert all("DROP" not in one["sql"] for one in shown)
    assert any(HOSTILE in one["parameters"].values() for one in shown)


def test_without_any_data_every_question_is_declined(tmp_path: Path) -> None:
    run = asking(tmp_path)
    asked = ask(REGISTRY, known_facts(REGISTRY, run), "spend last month", run)
    assert asked.declined is not None
    assert asked.declined.lacks_data
    assert asked.document()["declined"] is True


def test_money_that_cannot_be_added_is_declined(tmp_path: Path) -> None:
    days = [ad(date(2025, 5, 1), "1", 1.0, currency=currency) for currency in ("USD", "EUR")]
    run = asking(tmp_path, ads=days)
    asked = ask(REGISTRY, known_facts(REGISTRY, run), "spend in May", run)
    assert asked.declined is not None
    assert "without rates" in asked.declined.reason


def test_a_context_of_another_release_is_forgotten(reader: Reader, run: Ask, tmp_path: Path) -> None:
    before = answered("spend in April on Meta", reader, run).intent
    later = asking(tmp_path, ads=[ad(date(2025, 9, 1), "1", 1.0, platform="Bing")])
    asked = ask(REGISTRY, known_facts(REGISTRY, later), "and in May?", later, context=before)
    assert asked.declined is not None
    assert "which KPI" in asked.declined.reason


def golden(folder: Path, text: str) -> Path:
    (folder / "golden.yaml").write_text(f"questions:\n{text}", encoding="utf-8")
    return folder


def test_golden_questions_hold_within_their_bounds(run: Ask, tmp_path: Path) -> None:
    declared = golden(
        tmp_path,
        """
  - {question: "CAC in May", at_least: 15.51, at_most: 15.53}
  - {question: "CAC in May", at_most: 15}
  - {question: "spend and CAC in April", kpi: cac, at_least: 10, at_most: 10}
  - {question: "spend in April", kpi: cac, at_least: 10}
  - {question: "profit in May", declined: true}
  - {question: "spend in May", declined: true, }
  - {question: "orders in May", at_least: 1, may_lack_data: true}
  - {question: "orders in May", at_least: 1}
  - {question: "CAC on 1 May 2025", at_least: 1}
""",
    )
    judged = judge_golden(load_golden(declared), REGISTRY, run)
    assert [one.right for one in judged] == [True, False, True, False, True, False, True, False, False]
    assert (judged[1].expected, judged[1].observed) == ("at most 15", "15.5172")
    assert right_share(judged) == 4 / 9
    assert right_share(()) == 1
    assert load_golden(tmp_path / "nowhere").questions == ()


def test_a_golden_question_without_bounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KpiError, match=r"golden.yaml:2: questions.0: expected at_least"):
        load_golden(golden(tmp_path, '  - {question: "CAC in May"}\n'))


def test_the_published_figures_of_ads_spend_come_out(shared_data: Path, tmp_path: Path) -> None:
    (export,) = (shared_data / "ads_spend").glob("*.csv")
    with export.open(encoding="utf-8") as lines_of_file:
        ads = [
            {name: line[name] for name in ("platform", "account", "campaign", "country", "device")}
            | {"date": date.fromisoformat(line["date"]), "spend": Decimal(line["spend"])}
            | {"conversions": float(line["conversions"]), "level": "campaign"}
            for line in csv.DictReader(lines_of_file)
        ]
    run = asking(tmp_path, ads=ads, source="ads_spend")
    question = "CAC, ROAS, spend and conversions of the last 30 days vs the previous 30 days"
    asked = ask(REGISTRY, known_facts(REGISTRY, run), question, run)
    row = {name: round(value, 2) for name, value in asked.rows[0].items() if isinstance(value, float)}
    assert (row["cac"], row["roas"], row["spend"], row["conversions"]) == (29.81, 3.35, 285_036.15, 9_562)
    assert (row["spend_before"], row["conversions_before"]) == (270_822.66, 8_392)
    assert (row["cac_change_percent"], row["roas_change_percent"]) == (-7.63, 8.26)
