"""What users told about what was shown to them, from tables to rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketing_platform.recommenders.feedback import ItemKind, told_by_users
from marketing_platform.recommenders.rules import Candidates, Facts, Rule, RuleBook, apply
from marketing_platform.stores.protocols import Select
from marketing_platform_tests.tables import rows_of, stored

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
USERS = np.array(["ann", "bob", "cleo"], dtype=object)
ITEMS = np.array(["p1", "p2", "p3"], dtype=object)
CAP = RuleBook.model_validate(
    {"products": [{"rule": "frequency_cap", "name": "rest", "times": 2, "days": 7}]}
).products
BLOCK = RuleBook.model_validate(
    {"products": [{"rule": "exclude", "name": "unwanted", "when": "blocked_by_user"}]}
).products

Tell = Callable[..., Any]


def event(user: str, action: str, item: str, days_ago: float = 1, kind: str = "product") -> dict[str, Any]:
    moment = NOW - timedelta(days=days_ago)
    return {"user_id": user, "action": action, "item_kind": kind, "item_id": item, "timestamp": moment}


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    def told(
        feedback: list[dict[str, Any]],
        rules: tuple[Rule, ...],
        *,
        kind: ItemKind = "product",
        events: tuple[dict[str, Any], ...] = (),
    ) -> Any:
        tables = {"feedback": rows_of("feedback", feedback), "events": rows_of("events", events)}
        warehouse, refs = stored(tmp_path, tables)

        def ask(sql: str) -> Any:
            return warehouse.query(Select(sql, list(refs.values())))

        return told_by_users(ask, kind, rules, users=USERS, items=ITEMS, now=NOW)

    return told


def left(told: Any, rules: tuple[Rule, ...], user: int) -> set[str]:
    """Which items the rules leave a user to whom all are offered."""
    rows = np.array([user])
    part = told.of_rows(rows)
    offered = Candidates(
        users=USERS[rows],
        items=ITEMS,
        places=np.array([[0, 1, 2]]),
        scores=np.array([[3.0, 2.0, 1.0]]),
        tiers=np.zeros((1, 3), np.int64),
        popular=np.array([0, 1, 2]),
    )
    facts = Facts(today=NOW.date(), attributes={}, blocked=part.dismissed, shown=part.shown)
    ruled = apply(rules, offered, facts, limit=3)
    return {str(ITEMS[item]) for item in ruled.items[0] if item >= 0}


def test_a_cap_counts_the_impressions_of_its_days(tell: Tell) -> None:
    told = tell(
        [
            event("bob", "impression", "p1", 1),
            event("bob", "impression", "p1", 6.9),
            event("bob", "impression", "p2", 1),
            event("bob", "impression", "p2", 7.1),
            event("bob", "click", "p3", 1),
            event("bob", "click", "p3", 2),
            event("ann", "impression", "p1", 1),
        ],
        CAP,
    )
    assert left(told, CAP, 1) == {"p2", "p3"}
    assert left(told, CAP, 0) == left(told, CAP, 2) == {"p1", "p2", "p3"}


def test_a_dismissal_holds_until_a_later_click(tell: Tell) -> None:
    told = tell(
        [
            event("ann", "dismissal", "p1", 3),
            event("ann", "click", "p1", 4),
            event("ann", "dismissal", "p2", 3),
            event("ann", "click", "p2", 2),
            event("bob", "impression", "p1", 1),
            event("cleo", "dismissal", "p3", 400),
        ],
        BLOCK,
    )
    assert left(told, BLOCK, 0) == {"p2", "p3"}
    assert left(told, BLOCK, 1) == {"p1", "p2", "p3"}
    assert left(told, BLOCK, 2) == {"p1", "p2"}


def test_unknown_users_and_items_and_other_kinds_are_nobodys(tell: Tell) -> None:
    told = tell(
        [
            event("zoe", "dismissal", "p1"),
            event("ann", "dismissal", "p9"),
            event("ann", "dismissal", "p1", kind="campaign"),
        ],
        (*BLOCK, *CAP),
    )
    assert left(told, (*BLOCK, *CAP), 0) == {"p1", "p2", "p3"}


def test_impressions_of_campaigns_are_events(tell: Tell) -> None:
    seen = {"user_id": "ann", "event_type": "impression", "campaign_id": "p1"}
    events = tuple({**seen, "timestamp": NOW - timedelta(days=days)} for days in (1, 2, 30))
    told = tell([event("ann", "dismissal", "p2", kind="campaign")], CAP, kind="campaign", events=events)
    assert left(told, CAP, 0) == {"p2", "p3"}
    assert left(told, BLOCK, 0) == {"p1", "p3"}
