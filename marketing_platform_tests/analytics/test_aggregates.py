"""Aggregates: figures a person can check by hand, and sums that agree with each other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform.analytics import Aggregate, aggregate, aggregates
from marketing_platform.analytics.aggregates import engagement_weights
from marketing_platform.graph.interests import MESSAGE_INTERESTS
from marketing_platform.stores.protocols import Select
from marketing_platform_tests.tables import rows_of, stored


def event(
    user: str, kind: str, campaign: str = "c1", day: int = 1, channel: str | None = "email"
) -> dict[str, Any]:
    moment = datetime(2026, 5, day, 23, 59, tzinfo=UTC)
    return {
        "user_id": user,
        "event_type": kind,
        "campaign_id": campaign,
        "timestamp": moment,
        "channel": channel,
    }


EVENTS = [
    event("ann", "view"),
    event("ann", "click"),
    event("ann", "convert", day=2),
    event("ann", "message", campaign="c2", day=2, channel=None),
    event("bob", "impression"),
    event("bob", "unsubscribe", day=3),
]
CAMPAIGNS = [
    {"campaign_id": "c1", "name": "Spring"},
    {"campaign_id": "c2"},
    {"campaign_id": "c3", "name": "Unseen"},
]


def computed(folder: Path, name: str, events: list[dict[str, Any]] = EVENTS) -> list[dict[str, Any]]:
    return queried(folder, name, events).to_pylist()


def queried(folder: Path, name: str, events: list[dict[str, Any]]) -> pa.Table:
    given = {"events": events, "campaigns": CAMPAIGNS}
    facts = ("events", "campaigns", "feedback", "ad_spend", "purchases", "interests", "products")
    tables = {each: rows_of(each, given.get(each, [])) for each in facts}
    batches = pa.table({"batch_id": pa.array([], pa.string()), "source": pa.array([], pa.string())})
    made = {"admitted_batches": batches, "message_interests": MESSAGE_INTERESTS.empty_table()}
    warehouse, refs = stored(folder, {**tables, **made})

    def select(declared: Aggregate) -> Select:
        for read in set(declared.reads) - refs.keys():
            refs[read] = warehouse.create(f"{read}__1", select(aggregate(read))).ref
        return Select(declared.query, [refs[read] for read in declared.reads])

    return warehouse.query(select(aggregate(name)))


def test_user_engagement(tmp_path: Path) -> None:
    ann, bob = computed(tmp_path, "user_engagement")
    weights = engagement_weights()
    assert ann["user_id"] == "ann"
    assert (ann["events"], ann["messages"], ann["clicks"], ann["conversions"]) == (4, 1, 1, 1)
    assert (ann["campaigns"], ann["active_days"]) == (2, 2)
    assert ann["engagement_score"] == sum(weights[kind] for kind in ("view", "click", "convert", "message"))
    assert (ann["first_at"].day, ann["last_at"].day) == (1, 2)
    assert bob["engagement_score"] == pytest.approx(weights["impression"] + weights["unsubscribe"])


def test_campaign_performance_counts_campaigns_nobody_saw(tmp_path: Path) -> None:
    spring, second, unseen = computed(tmp_path, "campaign_performance")
    assert (spring["name"], spring["events"], spring["users"]) == ("Spring", 5, 2)
    assert spring["click_rate"] == pytest.approx(1 / 2)  # one click, an impression and a view
    assert spring["conversion_rate"] == 1.0
    assert (second["click_rate"], second["conversion_rate"]) == (None, None)
    assert (unseen["events"], unseen["users"], unseen["engagement_score"]) == (0, 0, 0)
    assert unseen["first_at"] is None


def test_daily_activity_names_what_has_no_channel(tmp_path: Path) -> None:
    days = computed(tmp_path, "daily_activity")
    assert [(day["date"], day["channel"], day["events"]) for day in days] == [
        (date(2026, 5, 1), "email", 3),
        (date(2026, 5, 2), "(none)", 1),
        (date(2026, 5, 2), "email", 1),
        (date(2026, 5, 3), "email", 1),
    ]


@pytest.mark.parametrize("name", aggregates())
def test_nothing_gives_nothing(tmp_path: Path, name: str) -> None:
    found = computed(tmp_path, name, events=[])
    assert len(found) == (len(CAMPAIGNS) if name == "campaign_performance" else 0)


@pytest.mark.parametrize("name", aggregates())
def test_the_columns_are_the_declared_ones(tmp_path: Path, name: str) -> None:
    declared = aggregate(name)
    found = queried(tmp_path, name, EVENTS).schema
    assert found.names == list(declared.column_names)
    for field, column in zip(found, declared.columns, strict=True):
        assert field.type == column.type.arrow or pa.types.is_integer(field.type), field


def test_every_event_type_that_passes_the_gate_has_a_weight() -> None:
    from marketing_platform.gates import load_suites
    from marketing_platform.settings import Settings

    (known,) = [
        rule.kwargs["value_set"]
        for rule in load_suites(Settings().expectations_dir).row_rules("events")
        if rule.rule == "events_event_type_unknown"
    ]
    assert set(known) == set(engagement_weights())
