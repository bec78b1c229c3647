"""The declared sources over the real files they are written for."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from marketing_platform.settings import PROJECT_DIR
from marketing_platform.sources import Projection, load_sources, match_source, project, read_rows

GOOGLE = "vendor_exports/google_ads"
MICROSOFT = "vendor_exports/microsoft_ads"


def _projections(folder: Path, name: str) -> Iterator[Projection]:
    spec = match_source(load_sources(PROJECT_DIR / "sources"), name)
    assert spec is not None
    with (folder / name).open("rb") as stream:
        for raw in read_rows(stream, spec, chunk_rows=50_000, max_cell_bytes=1 << 20):
            yield project(raw, spec, f"{spec.name}@x")


def _rows(folder: Path, name: str, table: str) -> pa.Table:
    found = list(_projections(folder, name))
    assert all(projection.problems.num_rows == 0 for projection in found)
    return pa.concat_tables([projection.tables[table] for projection in found])


@pytest.mark.slow
def test_online_retail(shared_data: Path) -> None:
    rows, worth, users = 0, Decimal(0), set[str]()
    for found in _projections(shared_data, "online_retail/online_retail.parquet"):
        assert found.problems.num_rows == 0
        lines = found.tables["purchases"]
        rows += lines.num_rows
        amounts = zip(lines["quantity"].to_pylist(), lines["unit_price"].to_pylist(), strict=True)
        worth += sum(quantity * price for quantity, price in amounts)
        users |= set(found.tables["users"]["user_id"].to_pylist())
    assert (rows, round(worth, 2), len(users)) == (541_909, Decimal("9747747.93"), 4_372)
    assert "17850" in users


def test_conversations(shared_data: Path) -> None:
    events = _rows(shared_data, "conversations/events.csv", "events")
    assert events.num_rows == 29_422
    assert len(events["message"].drop_null()) == 10_000
    assert len(events["user_id"].unique()) == 1_000
    assert len(events["campaign_id"].unique()) == 20


@pytest.mark.parametrize(("name", "each"), [("dirty", 6), ("too_dirty", 16)])
def test_dirty_conversations(shared_data: Path, name: str, each: int) -> None:
    (found,) = _projections(shared_data, f"conversations/{name}.csv")
    reasons = Counter(found.problems["reason"].to_pylist())
    assert reasons == {"timestamp unreadable": each, "too many columns": each, "too few columns": each}
    assert found.tables["events"].num_rows == 1000 - 2 * each
    assert found.tables["events"]["user_id"].null_count == each


def test_ads_spend(shared_data: Path) -> None:
    rows = _rows(shared_data, "ads_spend/ads_spend.csv", "ad_spend")
    assert rows.num_rows == 2_000
    assert sum(rows["spend"].to_pylist()) == Decimal("1690764.32")


@pytest.mark.parametrize(
    ("name", "level", "report"),
    [
        (
            f"{GOOGLE}/input/account_stats_data.csv",
            "account",
            f"{GOOGLE}/expected/google_ads__account_report.csv",
        ),
        (
            f"{GOOGLE}/input/campaign_stats_data.csv",
            "campaign",
            f"{GOOGLE}/expected/google_ads__campaign_report.csv",
        ),
        (
            f"{GOOGLE}/input/ad_group_stats_data.csv",
            "ad_group",
            f"{GOOGLE}/expected/google_ads__ad_group_report.csv",
        ),
        (f"{GOOGLE}/input/ad_stats_data.csv", "ad", f"{GOOGLE}/expected/google_ads__ad_report.csv"),
        (
            f"{GOOGLE}/input/keyword_stats_data.csv",
            "keyword",
            f"{GOOGLE}/expected/google_ads__keyword_report.csv",
        ),
        (
            f"{GOOGLE}/input/search_term_keyword_stats_data.csv",
            "search_term",
            f"{GOOGLE}/expected/google_ads__search_term_report.csv",
        ),
        *(
            (
                f"{MICROSOFT}/input/microsoft_ads_{file}_performance_daily_report_data.csv",
                level,
                f"{MICROSOFT}/expected/microsoft_ads__{report}_report.csv",
            )
            for file, level, report in [
                ("account", "account", "account"),
                ("campaign", "campaign", "campaign"),
                ("ad_group", "ad_group", "ad_group"),
                ("ad", "ad", "ad"),
                ("keyword", "keyword", "keyword"),
                ("search", "search_term", "search"),
                ("geographic", "geography", "campaign_country"),
            ]
        ),
    ],
)
def test_vendor_exports_add_up_to_the_reports(shared_data: Path, name: str, level: str, report: str) -> None:
    rows = _rows(shared_data, name, "ad_spend")
    assert rows["level"].unique().to_pylist() == [level]
    with (shared_data / name).open(encoding="utf-8-sig", newline="") as landed:
        assert rows.num_rows == sum(1 for _ in csv.DictReader(landed))
    with (shared_data / report).open(encoding="utf-8-sig", newline="") as expected:
        lines = list(csv.DictReader(expected))
    for column in ("spend", "clicks", "impressions"):
        total = sum(Decimal(str(value)) for value in rows[column].to_pylist())
        assert total == sum(Decimal(line[column]) for line in lines), column


@pytest.mark.parametrize(
    "name",
    [
        f"{GOOGLE}/input/campaign_history_data.csv",
        f"{MICROSOFT}/input/microsoft_ads_campaign_history_data.csv",
    ],
)
def test_campaign_histories(shared_data: Path, name: str) -> None:
    campaigns = _rows(shared_data, name, "campaigns")
    assert campaigns.num_rows == 10
    assert campaigns["campaign_id"].null_count == 0
