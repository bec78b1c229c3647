"""A million rows in one landed file or one upload: one batch, every row valid or quarantined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from marketing_platform.defs.execution import Pipeline, open_instance
from marketing_platform.errors import EncoderUnavailable
from marketing_platform.releases.ledger import State
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.landed import conversation, csv
from marketing_platform_tests.callers import client_of
from serving.app import create_app

pytestmark = pytest.mark.long

ROWS, BAD_EVERY = 1_000_000, 100


def test_a_million_rows_of_one_file_are_conserved(install: Install) -> None:
    lines = conversation("m", rows=ROWS)
    lines[::BAD_EVERY] = [line.replace("2026-03-", "the ides of March ") for line in lines[::BAD_EVERY]]
    installation = install()
    installation.land("conversations/events.csv", csv(lines))
    installation.run()
    batch = installation.batch("conversations/events.csv")
    bad = ROWS // BAD_EVERY
    assert batch.state is State.ACCEPTED
    assert (batch.rows_landed, batch.rows_valid, batch.rows_quarantined) == (ROWS, ROWS - bad, bad)
    assert installation.query("SELECT count(*), count(DISTINCT row_ordinal) FROM events") == [
        (ROWS - bad, ROWS - bad)
    ]
    assert installation.query("SELECT sum(events) FROM daily_activity") == [(ROWS - bad,)]
    found = installation.command("kpis", "show", "engagement", "--json").document
    ((weighed,),) = installation.query("SELECT sum(engagement_score) FROM campaign_performance")
    assert found["total"]["engagement"]["value"] == pytest.approx(float(weighed))


def orders() -> Iterator[bytes]:
    """An order line a document, of a thousand users; every hundredth has no price."""
    for n in range(ROWS):
        price = "free" if n % BAD_EVERY == 0 else "9.90"
        yield (
            f'{{"user_id":"u-{n % 1_000}","purchases":[{{"product_id":"p-{n % 500}","quantity":1,'
            f'"timestamp":"2026-03-{1 + n % 28:02d}T10:00:00Z","unit_price":"{price}","currency":"EUR"}}]}}\n'
        ).encode()


def test_a_million_rows_of_one_upload_are_conserved(install: Install) -> None:
    installation = install()

    def no_encoder() -> Any:
        raise EncoderUnavailable("not needed here")

    app = create_app(installation.settings, encoder=no_encoder)
    with client_of(installation.settings, app) as client:
        headers = {"Content-Type": "application/x-ndjson"}
        uploaded = client.post("/api/v1/data/bulk", content=orders(), headers=headers)
        assert uploaded.status_code == 202
        with open_instance(installation.settings) as instance:
            pipeline = Pipeline(installation.settings, instance, lambda _: None)
            pipeline.ingest(pipeline.take().batches)
        receipt = client.get(uploaded.json()["links"]["receipt"]).json()
    (batch,) = installation.ledger.current()
    bad = ROWS // BAD_EVERY
    assert batch.state is State.ACCEPTED
    assert (batch.rows_landed, batch.rows_valid, batch.rows_quarantined) == (ROWS, ROWS - bad, bad)
    assert (receipt["rows_valid"], receipt["rows_quarantined"]) == (ROWS - bad, bad)
