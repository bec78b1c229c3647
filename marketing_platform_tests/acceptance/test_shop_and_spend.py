"""Real order lines and real ad exports: nothing lost, nothing counted twice, sums exact."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from marketing_platform.releases.ledger import State
from marketing_platform.sources import load_sources
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.installation import Installation

pytestmark = pytest.mark.long

_SHOP = "online_retail/online_retail.parquet"
_ADS = "ads_spend/ads_spend.csv"
_GOOGLE = "vendor_exports/google_ads"
_MICROSOFT = "vendor_exports/microsoft_ads"

# (platform, level) -> the vendor's report of it
_REPORTS = {
    **{
        ("Google", level): f"{_GOOGLE}/expected/google_ads__{level}_report.csv"
        for level in ("account", "campaign", "ad_group", "ad", "keyword", "search_term")
    },
    **{
        ("Microsoft", level): f"{_MICROSOFT}/expected/microsoft_ads__{report}_report.csv"
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


@pytest.fixture(scope="module")
def landed(install: Install, shared_data: Path) -> Installation:
    """Everything in one run."""
    installation = install()
    exports = [
        path.relative_to(shared_data).as_posix()
        for vendor in (_GOOGLE, _MICROSOFT)
        for path in sorted((shared_data / vendor / "input").glob("*.csv"))
    ]
    for name in (_SHOP, _ADS, *exports):
        installation.land(name, (shared_data / name).read_bytes())
    installation.run()
    return installation


def test_every_order_line_is_valid_or_quarantined(landed: Installation) -> None:
    batch = landed.batch(_SHOP)
    assert batch.state is State.ACCEPTED
    assert batch.rows_landed == 541_909 == batch.rows_valid + batch.rows_quarantined
    assert landed.query("SELECT count(*) FROM purchases") == [(batch.rows_valid,)]
    assert len(landed.quarantine(batch.batch_id)) == batch.rows_quarantined


def test_quantity_times_price_is_exact_over_valid_and_quarantined_lines(landed: Installation) -> None:
    ((valid,),) = landed.query("SELECT sum(quantity * unit_price) FROM purchases")
    refused = sum(
        Decimal(record["document"]["Quantity"]) * Decimal(record["document"]["UnitPrice"])
        for record in landed.quarantine(landed.batch(_SHOP).batch_id)
    )
    assert round(valid + refused, 2) == Decimal("9747747.93")


def test_anonymous_lines_count_for_products_and_revenue_but_for_no_user(landed: Installation) -> None:
    assert landed.release().totals.users == 4_372
    ((buyers, anonymous, revenue, products),) = landed.query(
        "SELECT count(DISTINCT user_id), count(*) FILTER (user_id IS NULL),"
        " sum(quantity * unit_price) FILTER (user_id IS NULL),"
        " count(DISTINCT product_id) FILTER (user_id IS NULL) FROM purchases"
    )
    assert buyers == 4_372
    assert anonymous > 130_000
    assert revenue > 0
    assert products > 0
    assert landed.query("SELECT count(*) FROM users WHERE user_id IS NULL OR user_id = ''") == [(0,)]
    ((sold, known),) = landed.query(
        "SELECT count(DISTINCT product_id), (SELECT count(*) FROM products) FROM purchases"
    )
    assert sold == known
    bought = landed.release().graphs["knowledge_graph"].relations["PURCHASED"]
    pairs = landed.query(
        "SELECT count(*) FROM (SELECT DISTINCT user_id, product_id FROM purchases WHERE user_id IS NOT NULL)"
    )
    assert [(bought,)] == pairs


def test_lines_that_repeat_another_in_every_column_stay(landed: Installation) -> None:
    """6,007 of this file's lines; 5,268 repeat another also in the invoice and stock code it left out."""
    batch_id = landed.batch(_SHOP).batch_id
    seen: set[str] = set()
    repeating: set[int] = set()
    for ordinal, document in landed.raw(batch_id):
        if document in seen:
            repeating.add(ordinal)
        seen.add(document)
    assert len(repeating) == 6_007
    valid = {ordinal for (ordinal,) in landed.query("SELECT row_ordinal FROM purchases")}
    refused = {record["ordinal"] for record in landed.quarantine(batch_id)}
    assert repeating <= valid | refused
    assert len(repeating & valid) > 5_000


def test_ad_rows_that_repeat_their_key_stay(landed: Installation) -> None:
    batch = landed.batch(_ADS)
    assert (batch.state, batch.rows_valid) == (State.ACCEPTED, 2_000)
    found = landed.query(
        "SELECT count(*), count(*) - count(DISTINCT (date, platform, account, campaign, country, device)),"
        f" sum(spend) FROM ad_spend WHERE batch_id = '{batch.batch_id}'"
    )
    assert found == [(2_000, 53, Decimal("1690764.32"))]


def test_every_export_lands(landed: Installation) -> None:
    assert not [batch.batch_id for batch in landed.ledger.batches() if batch.state is not State.ACCEPTED]
    declared = {spec.name for spec in load_sources(landed.settings.sources_dir)}
    exports = {name for name in declared if name.startswith(("google_ads", "microsoft_ads"))}
    assert {batch.source for batch in landed.release().batches} == exports | {"online_retail", "ads_spend"}


@pytest.mark.parametrize(("platform", "level"), _REPORTS)
def test_exports_add_up_to_the_vendors_reports(
    landed: Installation, shared_data: Path, platform: str, level: str
) -> None:
    with (shared_data / _REPORTS[platform, level]).open(encoding="utf-8-sig", newline="") as report:
        lines = list(csv.DictReader(report))
    (found,) = landed.query(
        "SELECT sum(spend), sum(impressions), sum(clicks) FROM ad_spend"
        f" WHERE platform = '{platform}' AND level = '{level}' AND batch_id NOT LIKE '{_ADS}%'"
    )
    assert found == tuple(
        sum(Decimal(line[figure]) for line in lines) for figure in ("spend", "impressions", "clicks")
    )


def test_figures_of_the_release_are_those_published(landed: Installation) -> None:
    asked = ("--from", "2025-06-01", "--to", "2025-06-30", "--filter", "source=ads_spend", "--json")
    found = landed.command("kpis", "show", "spend", "cac", "roas", *asked).document
    assert found["against"] == {"from": "2025-05-02", "to": "2025-05-31", "days": 30}
    spend, cac, roas = (found["total"][kpi] for kpi in ("spend", "cac", "roas"))
    assert (spend["value"], spend["before"]) == (285_036.15, 270_822.66)
    assert (round(cac["value"], 2), round(cac["change_percent"], 2), cac["better"]) == (29.81, -7.63, True)
    assert (round(roas["value"], 2), round(roas["change_percent"], 2)) == (3.35, 8.26)
    sold = landed.command("kpis", "show", "sales", "--from", "2010-01-01", "--to", "2011-12-31", "--json")
    ((worth,),) = landed.query("SELECT sum(quantity * unit_price) FROM purchases")
    assert sold.document["total"]["sales"]["value"] == float(worth)


def test_the_hybrid_finds_what_is_bought_in_the_last_28_days_at_least_as_well_as_any_family(
    landed: Installation,
) -> None:
    report = landed.release().reports["product_evaluation"].name
    found = open_stores(landed.settings).reports.read(report)
    assert found["held_out"] == "the products users bought within 28 days"
    families = dict(found["recommenders"])
    hybrid = families.pop("hybrid")
    for figure in ("precision", "recall", "ndcg"):
        assert hybrid[figure] >= max(family[figure] for family in families.values())
    repeat, discovery = found["hybrid"]["repeat"], found["hybrid"]["discovery"]
    assert min(repeat["users"], discovery["users"]) > 1_000
    assert repeat["ndcg"] > discovery["ndcg"] > 0, "what is bought again is found more easily"


def test_landing_files_again_changes_nothing(landed: Installation, shared_data: Path) -> None:
    before = landed.release()
    for name in (_SHOP, _ADS):
        landed.land(name, (shared_data / name).read_bytes(), minutes_ago=1)
        landed.land(f"again/{name}", (shared_data / name).read_bytes())
    landed.run()
    assert landed.release() == before
