"""What a document says, and when its set has to be written anew."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from marketing_platform.analytics.enrichment import CAMPAIGNS, enrichment, made_with, set_name
from marketing_platform.graph import RECORD_ID
from marketing_platform.stores.protocols import Select
from marketing_platform_tests.tables import rows_of, stored

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SPRING: dict[str, Any] = {
    "campaign_id": "c1",
    "name": "Spring",
    "platform": "own",
    "channel": "email",
    "category": "Garden",
    "objective": "retention",
}
KNOWN_BY_ITS_EVENTS = dict.fromkeys(SPRING) | {"campaign_id": "c2"}


def test_a_document_says_what_is_known(tmp_path: Path) -> None:
    events = [
        {"event_id": "e1", "user_id": "ann", "timestamp": NOW, "event_type": "message", "campaign_id": "c1"}
        | {"message": "hello", "channel": "web"},
        {"event_id": "e2", "user_id": "bob", "timestamp": NOW, "event_type": "wave", "campaign_id": "c2"},
        {"event_id": "e3", "user_id": "bob", "timestamp": NOW, "event_type": "click"},
    ]
    tables = {
        "events": rows_of("events", events, batch="crm@x/a.csv@0123456789ab"),
        "campaigns": rows_of("campaigns", [SPRING, KNOWN_BY_ITS_EVENTS]),
    }
    warehouse, refs = stored(tmp_path, tables)
    # As the asset has it: an entity keeps no lineage of its rows.
    entity = warehouse.create("campaigns__2", Select(CAMPAIGNS, [refs["campaigns"]])).ref
    query = enrichment().query.format(record_id=RECORD_ID)
    rows = warehouse.query(Select(f"{query} ORDER BY events.row_ordinal", [refs["events"], entity]))
    assert rows.column_names == list(enrichment().column_names)
    first, second, third = rows.to_pylist()
    assert first == {
        "record_id": "0123456789ab:0",
        "batch_id": "crm@x/a.csv@0123456789ab",
        "row_ordinal": 0,
        "event_id": "e1",
        "timestamp": NOW,
        "event_type": "message",
        "engagement_weight": 3.0,
        "user_id": "ann",
        "channel": "web",
        "message": "hello",
        "campaign_id": "c1",
        "campaign_name": "Spring",
        "campaign_platform": "own",
        "campaign_channel": "email",
        "campaign_category": "Garden",
        "campaign_objective": "retention",
    }
    assert (second["campaign_id"], second["campaign_name"], second["engagement_weight"]) == ("c2", None, 0.0)
    assert (third["campaign_id"], third["engagement_weight"]) == (None, 2.0)


def test_a_campaign_known_only_by_its_events_rewrites_nothing() -> None:
    assert made_with("q", [KNOWN_BY_ITS_EVENTS, SPRING]) == made_with("q", [SPRING])


@pytest.mark.parametrize("column", sorted(SPRING))
def test_whatever_is_said_of_a_campaign_counts(column: str) -> None:
    assert made_with("q", [SPRING | {column: "other"}]) != made_with("q", [SPRING])


def test_another_query_makes_other_documents() -> None:
    assert made_with("SELECT 1", []) != made_with("SELECT 2", [])


def test_a_set_is_named_after_its_part() -> None:
    assert set_name("events__3f9ac21b0d11_1c2d", "0a1b2c3d") == "enriched_events__3f9ac21b0d11_1c2d_0a1b2c3d"
