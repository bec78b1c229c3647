"""A file is checked, landed and followed, all on one page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from marketing_platform.ingestion.landing import take_landed
from marketing_platform.releases.ledger import Outcome
from marketing_platform.releases.manifest import BatchEntry
from marketing_platform.releases.records import open_records
from marketing_platform.sources import load_sources
from marketing_platform_tests.dashboard.conftest import asking, listening, platform_in
from marketing_platform_tests.dashboard.pages import opened, settled, text
from marketing_platform_tests.serving.conftest import Platform, await_until

HEADER = "date,platform,account,campaign,country,device,spend,clicks,impressions,conversions"
GOOD = "2025-06-30,Meta,AcctA,Prospecting,DE,Mobile,12.50,10,1000,2"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Platform]:
    """A platform that nothing has landed in, and pages in front of it."""
    platform = platform_in(tmp_path)
    with listening(platform.app()) as url, asking(platform, url):
        yield platform


def uploaded(*lines: str, name: str = "ads_spend_june.csv") -> AppTest:
    page = opened("uploads", needs_release=False)
    page.selectbox[0].select_index(_place(page, "Daily figures per campaign, country and device")).run()
    content = "\n".join([HEADER, *lines, ""]).encode()
    return settled(page.file_uploader[0].upload(name, content, "text/csv").run())


def _place(page: AppTest, words: str) -> int:
    return next(place for place, option in enumerate(page.selectbox[0].options) if option.startswith(words))


def counts(page: AppTest) -> dict[str, str]:
    return {card.label: card.value for card in page.metric}


def test_a_good_file_is_checked_landed_and_followed(own: Platform) -> None:
    page = uploaded(*[GOOD] * 1200)
    assert counts(page) == {"Rows": "1,200", "Good": "1,200", "Refused": "0"}
    assert "It would be taken" in page.success[0].value
    assert "land as ads\\_spend\\_june.csv, and replace" in text(page)
    landing = own.settings.landing_dir / "ads_spend_june.csv"
    assert not landing.exists()
    next(button for button in page.button if button.label == "Land this file").click().run()
    settled(page)
    assert landing.read_text().count("\n") == 1201
    assert "waits to be taken" in text(page)
    assert not page.metric, "the report made room for what becomes of the file"
    assert "Land this file" not in [button.label for button in page.button]
    ledger, sources = open_records(own.settings).ledger, load_sources(own.settings.sources_dir)
    take_landed(own.stores.objects, ledger, sources, now=datetime.now(UTC), settle_seconds=0)
    page.run()
    assert "It is being checked" in text(page)
    (batch,) = ledger.current()
    now = datetime.now(UTC)
    ledger.judge(batch.batch_id, Outcome(1200, 1200, 0, {}, (), {}), now=now)
    page.run()
    assert "It passed" in text(page)
    manifest = own.build(1)
    entry = BatchEntry(
        batch_id=batch.batch_id,
        object=batch.object,
        source=batch.source,
        content_hash=batch.content_hash,
        decision="accepted",
        rows_landed=1200,
        rows_valid=1200,
        rows_quarantined=0,
    )
    own.shelf.publish(manifest.model_copy(update={"batches": (entry,)}), expected=None)
    await_until(lambda: "It is in release r-gen1" in text(settled(page.run())), seconds=30)
    assert "1,200 good, 0 refused" in text(page)


def test_refused_rows_come_with_reasons_before_anything_lands(own: Platform) -> None:
    page = uploaded(*[GOOD] * 98, GOOD.replace("12.50", "-12.50"), "2025-06-30,Meta")
    assert counts(page) == {"Rows": "100", "Good": "98", "Refused": "2"}
    assert "without the refused rows" in page.info[0].value
    assert len(page.table[0].value) >= 2
    assert "Row 99" in text(page)
    assert not own.settings.landing_dir.exists() or not list(own.settings.landing_dir.iterdir())


def test_a_file_that_would_be_held_says_so(own: Platform) -> None:
    page = uploaded(*[GOOD] * 9, "not a line")
    assert "It would be held back" in page.warning[0].value


def test_a_name_that_cannot_land_is_told_before_anything_is_done(own: Platform) -> None:
    page = uploaded(GOOD, name="ads_spend.csv.part")
    assert "cannot land here" in page.warning[0].value
    assert not page.metric


def test_markup_in_a_file_stays_text(own: Platform) -> None:
    page = uploaded(GOOD, name="ads_spend*[x](javascript:alert(1)).csv")
    next(button for button in page.button if button.label == "Land this file").click().run()
    assert "\\[x\\]\\(javascript" in text(page)
