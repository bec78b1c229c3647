"""Exports of ad platforms through the declared sources and the KPI engine, against what the vendors say.

That the same files land, pass the gates and add up in total is shown by `test_shop_and_spend`.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform.analytics.kpis import Ask, Filter, Period, Question, answer, load_registry
from marketing_platform.settings import PROJECT_DIR
from marketing_platform.sources import SourceSpec, load_sources, match_source, project, read_rows
from marketing_platform_tests.analytics.kpi_tables import asking_tables

REGISTRY = load_registry(PROJECT_DIR / "kpis")
GOOGLE, MICROSOFT = "vendor_exports/google_ads", "vendor_exports/microsoft_ads"
# A line of a report is in one currency: at these rates it stays what it is.
AS_WRITTEN = replace(
    REGISTRY,
    workspace=REGISTRY.workspace.model_copy(
        update={"rates": dict.fromkeys(("CAD", "EUR", "MXN"), Decimal(1))}
    ),
)
ALWAYS = Period(date(2015, 1, 1), date(2029, 12, 31))

# source -> the vendor's report of it
REPORTS = {
    **{
        f"google_ads_{level}": f"{GOOGLE}/expected/google_ads__{level}_report.csv"
        for level in ("account", "campaign", "ad_group", "ad", "keyword", "search_term")
    },
    **{
        f"microsoft_ads_{level}": f"{MICROSOFT}/expected/microsoft_ads__{report}_report.csv"
        for level, report in {
            "account": "account",
            "campaign": "campaign",
            "ad_group": "ad_group",
            "ad": "ad",
            "keyword": "keyword",
            "search_term": "search",
            "geography": "campaign_country",
        }.items()
    },
}
MEASURES = {"spend": "spend", "impressions": "impressions", "clicks": "clicks"}
ATTRIBUTED = {"conversions": "conversions", "revenue": "conversions_value"}
DIMENSIONS = {
    "account": "account_id",
    "campaign": "campaign_id",
    "device": "device_type",
    "country": "country",
    "day": "date_day",
}


def lines_of(path: Path, spec: SourceSpec) -> Iterator[pa.Table]:
    """The rows of `ad_spend` that a file gives; all of them can be typed."""
    with path.open("rb") as stream:
        for raw in read_rows(stream, spec, chunk_rows=100_000, max_cell_bytes=1 << 20):
            found = project(raw, spec, f"{spec.name}@1")
            assert found.problems.num_rows == 0
            yield found.tables["ad_spend"]


def asking_files(folder: Path, files: Mapping[Path, SourceSpec]) -> Ask:
    rows = [table for path, spec in files.items() for table in lines_of(path, spec)]
    sources = {f"{spec.name}@1": spec.name for spec in files.values()}
    return asking_tables(folder, {"ad_spend": pa.concat_tables(rows)}, sources)


@pytest.fixture(scope="module")
def exports(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """All exports of both vendors, and the daily lines of `ads_spend`."""
    specs = load_sources(PROJECT_DIR / "sources")
    files: dict[Path, SourceSpec] = {}
    for folder in (f"{GOOGLE}/input", f"{MICROSOFT}/input", "ads_spend"):
        for path in sorted((shared_data / folder).glob("*.csv")):
            spec = match_source(specs, path.relative_to(shared_data).as_posix())
            if spec is not None and "ad_spend" in spec.tables:
                files[path] = spec
    return asking_files(tmp_path_factory.mktemp("exports"), files)


@pytest.mark.parametrize("source", REPORTS)
def test_every_line_of_the_vendors_reports_comes_out(exports: Ask, shared_data: Path, source: str) -> None:
    """Per day and whatever the report is broken down by, as far as it says so itself in every line."""
    with (shared_data / REPORTS[source]).open(encoding="utf-8-sig", newline="") as report:
        lines = list(csv.DictReader(report))
    by = [name for name, column in DIMENSIONS.items() if all(line.get(column) for line in lines)]
    assert {"day", "account"} <= set(by) or source.startswith("google_ads_ad")
    (spec,) = [spec for spec in load_sources(PROJECT_DIR / "sources") if spec.name == source]
    measures = MEASURES | (ATTRIBUTED if "conversions" in spec.tables["ad_spend"].columns else {})
    question = Question(tuple(measures), ALWAYS, by=tuple(by), filters={"source": Filter(only=(source,))})
    found = {
        line.key: {kpi: value.value for kpi, value in line.values.items()}
        for line in answer(AS_WRITTEN, question, exports).lines
    }
    expected: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for line in lines:
        key = tuple(line[DIMENSIONS[name]] for name in by)
        for kpi, column in measures.items():
            expected[key][kpi] += Decimal(line[column] or 0)  # type: ignore[assignment]
    assert found.keys() == expected.keys()
    for key, sums in expected.items():
        for kpi in measures:
            value = found[key][kpi] or 0  # reports write 0 also where the export says nothing
            assert value == pytest.approx(float(sums[kpi]), abs=1e-6), (key, kpi)


def test_ads_spend_gives_the_published_answer(exports: Ask) -> None:
    june = Period(date(2025, 6, 1), date(2025, 6, 30))
    question = Question(
        ("spend", "conversions", "cac", "roas"),
        june,
        june.before(),
        filters={"source": Filter(only=("ads_spend",))},
    )
    total = answer(REGISTRY, question, exports).total.values
    assert (total["spend"].value, total["spend"].before) == (285_036.15, 270_822.66)
    assert (total["conversions"].value, total["conversions"].before) == (9_562, 8_392)
    assert round(total["cac"].value or 0, 2) == 29.81
    assert round(total["roas"].value or 0, 2) == 3.35
    # The published changes were worked out from rounded values; these are from the exact ones.
    assert round(total["cac"].change_percent or 0, 2) == -7.63
    assert round(total["roas"].change_percent or 0, 2) == 8.26
    assert total["cac"].better
    assert total["roas"].better


_CASES = "vendor_exports/ratio_cases/cases.csv"
_SOURCE = """
source: {name}
description: Lines whose ratios their vendor worked out.
path: {name}.csv
format: {{type: csv}}
tables:
  ad_spend:
    columns:
      date: date
      platform: platform
      level: {{constant: campaign}}
      campaign: case
      spend: {spend}
      clicks: clicks
      impressions: impressions
      conversions: conversions
"""
_SPEND = {"currency": "spend", "micros": "{field: spend, unit: micros}"}
# KPI -> the vendor's column, and what of ours it is: vendors write shares where KPIs are percent.
_RATIOS = {
    "cpc": ("vendor_cpc", 1),
    "ctr": ("vendor_ctr", 100),
    "cpm": ("vendor_cpm", 1),
    "cvr": ("vendor_cvr", 100),
    "cac": ("vendor_cpa", 1),
}


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> Sequence[dict[str, str]]:
    with (shared_data / _CASES).open(encoding="utf-8", newline="") as file:
        return [{**line, "case": str(number)} for number, line in enumerate(csv.DictReader(file))]


def test_ratios_are_those_that_vendors_worked_out(cases: Sequence[dict[str, Any]], tmp_path: Path) -> None:
    """Each case once per ratio: the vendor's figure rounded as it is written, or no value for its 0."""
    files: dict[Path, SourceSpec] = {}
    for unit, spend in _SPEND.items():
        (tmp_path / f"{unit}.yaml").write_text(_SOURCE.format(name=unit, spend=spend))
        with (tmp_path / f"{unit}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, cases[0].keys())
            writer.writeheader()
            writer.writerows(case for case in cases if case["spend_unit"] == unit)
    for spec in load_sources(tmp_path):
        files[tmp_path / f"{spec.name}.csv"] = spec
    ask = asking_files(tmp_path / "tables", files)
    lines = answer(REGISTRY, Question(tuple(_RATIOS), ALWAYS, by=("campaign",)), ask).lines
    found = {line.key[0]: line.values for line in lines}
    compared: Counter[str] = Counter()
    for case in cases:
        for kpi, (column, scale) in _RATIOS.items():
            if not case[column]:
                continue
            value, written = found[case["case"]][kpi], float(case[column])
            compared[kpi] += 1
            if value.value is None:  # a vendor writes 0 where there is nothing to divide by
                assert written == 0
                assert value.reason == REGISTRY.kpi(kpi).undefined
            elif case["spend_unit"] == "micros":
                money = 1_000_000 if kpi in ("cpc", "cpm") else 1
                # Ten digits; money in micros, like the spend.
                assert value.value / scale * money == pytest.approx(written, rel=5e-10, abs=0), (case, kpi)
            else:  # four places, some of them kept as 32-bit floats
                assert value.value / scale == pytest.approx(written, abs=5.001e-5), (case, kpi)
    assert len(cases) == 609
    assert compared == {"cpc": 609, "ctr": 609, "cpm": 335, "cvr": 274, "cac": 274}
