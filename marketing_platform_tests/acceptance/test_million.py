"""A million rows in one landed file: one batch, every row valid or quarantined, figures of all of them."""

from __future__ import annotations

import pytest

from marketing_platform.releases.ledger import State
from marketing_platform_tests.acceptance.conftest import Install
from marketing_platform_tests.acceptance.landed import conversation, csv

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
