"""`kpis/*.yaml`: what a wrong definition, workspace or golden question is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from marketing_platform.analytics.kpis import Registry, load_registry
from marketing_platform.analytics.questions.golden import load_golden
from marketing_platform.errors import KpiError
from marketing_platform_tests.conftest import PROJECT
from marketing_platform_tests.declared import DeclarationsContract, Kind


class TestDefinitions(DeclarationsContract):
    kind = Kind("registry.yaml", load_registry, KpiError)
    good = """\
facts:
  - {fact: ads, table: kpi_daily, says: Lines of exports., dimensions: [platform, country]}
measures:
  - {measure: spend, fact: ads, unit: money, says: What it cost.}
  - {measure: clicks, fact: ads, unit: count, says: Clicks.}
kpis:
  - {kpi: spend, name: Spend, numerator: spend, unit: money, direction: neutral, also: [cost]}
  - kpi: cpc
    name: CPC
    numerator: spend
    denominator: clicks
    undefined: nobody clicked
    unit: money
    direction: down
"""
    spoiled = (
        ("facts:", "fact:", "1: fact: expected one of facts, measures, kpis, found 'fact'"),
        ("kpi_daily", "kpi_dayly", "2: facts.0.table: expected one of "),
        ("[platform, country]", "[platfrom]", "(did you mean 'platform'?)"),
        ("fact: ads, unit: money", "fact: ad, unit: money", "4: measures.0.fact: expected one of ads, found"),
        ("measure: clicks", "measure: clickz", "5: measures.1.measure: expected one of "),
        ("measure: clicks", "measure: spend", "5: measures.1.measure: expected a name of its own"),
        ("unit: count", "unit: euros", "5: measures.1.unit: expected"),
        (
            "denominator: clicks",
            "denominator: views",
            "11: kpis.1.denominator: expected one of spend, clicks",
        ),
        ("    undefined: nobody clicked\n", "", "8: kpis.1: expected `undefined` (what to say when it is 0)"),
        ("kpi: cpc", "kpi: spend", "8: kpis.1.kpi: expected a name of its own, found 'spend'"),
        ("name: CPC", "name: Cost", "8: kpis.1.also: expected words of its own, found 'cost', which spend"),
        ("direction: down", "directoin: down", "(did you mean 'direction'?)"),
    )


class TestWorkspace(DeclarationsContract):
    kind = Kind("workspace.yaml", load_registry, KpiError)
    good = "time_zone: Europe/Berlin\ncurrency: EUR\nrates: {USD: 0.9}\ndefault_days: 30\noverview: [spend]\n"
    spoiled = (
        ("Europe/Berlin", "Mars/Base", "1: time_zone: expected a time zone such as Europe/Berlin"),
        ("EUR", "Euro", "2: currency: expected"),
        ("0.9", "0", "3: rates.USD: expected a number above 0, found 0"),
        ("30", "0", "4: default_days: expected a number of at least 1, found 0"),
        ("overview", "overveiw", "5: overveiw: expected one of time_zone, currency,"),
        ("[spend]", "[spent]", " overview: expected one of spend,"),
    )

    @pytest.fixture(autouse=True)
    def _definitions(self, tmp_path: Path) -> None:
        shutil.copy(PROJECT / "kpis" / "registry.yaml", tmp_path)

    def test_without_one_its_defaults_hold(self, tmp_path: Path) -> None:
        found: Registry = self.kind.read(tmp_path)
        assert (found.workspace.time_zone, found.workspace.default_days) == ("UTC", 30)


class TestGolden(DeclarationsContract):
    kind = Kind("golden.yaml", load_golden, KpiError)
    good = """\
questions:
  - {question: spend in June, at_least: 10, at_most: 20}
  - {question: the weather, declined: true}
"""
    spoiled = (
        ("questions:", "question:", "1: question: expected one of questions, found 'question' (did you"),
        ("at_least: 10, at_most: 20", "kpi: spend", "2: questions.0: expected at_least, at_most or both, or"),
        (
            "declined: true",
            "declined: true, at_most: 3",
            "3: questions.1: expected at_least, at_most or both",
        ),
        ("at_most: 20", "at_most: lots", "2: questions.0.at_most: expected a number, found 'lots'"),
        ("question: the weather, ", "", "3: questions.1.question: expected this key, found nothing"),
    )
