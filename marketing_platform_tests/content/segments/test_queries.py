"""Who belongs to a segment: small tables, and criteria whose answer one can see."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.analytics import aggregate
from marketing_platform.content.segments.loading import read_criteria, unfit
from marketing_platform.content.segments.queries import (
    count_sql,
    counts_sql,
    members_query,
    sample_sql,
    segments_query,
)
from marketing_platform.content.segments.spec import READS, Criteria, Segment
from marketing_platform.features.loading import load_features
from marketing_platform.settings import load_settings
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse
from marketing_platform_tests.tables import rows_of, stored

FEATURES = load_features(load_settings().features_dir)["user"]
END = datetime(2026, 6, 30, tzinfo=UTC)
Who = Mapping[str, Any]


def _computed(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    declared = aggregate(name)
    fields = [pa.field(column.name, column.type.arrow) for column in declared.columns]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def _bought(user: str | None, product: str, order: str, days: int, quantity: int = 1) -> dict[str, Any]:
    at = END - timedelta(days=days)
    return {
        "user_id": user,
        "product_id": product,
        "order_id": order,
        "purchase_id": f"{order}-{product}",
        "timestamp": at,
        "quantity": quantity,
        "unit_price": Decimal("10"),
    }


def _interest(user: str, interest: str, strength: float, source: str) -> dict[str, Any]:
    return {"user_id": user, "interest": interest, "strength": strength, "source": source, "confidence": 0.5}


TABLES = {
    "users": rows_of(
        "users",
        [
            {"user_id": "ann", "country": "DE", "marketing_consent": True, "signed_up_on": END.date()},
            {"user_id": "bob", "country": "AT", "marketing_consent": False},
            {"user_id": "cyd"},
        ],
    ),
    "user_features": pa.Table.from_pylist(
        [
            {"user_id": "ann", "orders": 2, "spend": Decimal("99.50"), "mean_satisfaction": 4.5},
            {"user_id": "bob", "orders": 0, "spend": Decimal(0)},
            {"user_id": "cyd", "orders": 0, "spend": Decimal(0)},
        ],
        FEATURES.arrow_schema,
    ),
    "user_engagement": _computed("user_engagement", [{"user_id": "bob", "clicks": 3, "last_at": END}]),
    "derived_interests": _computed(
        "derived_interests",
        [
            _interest("ann", "Camping", 0.9, "stated"),
            _interest("ann", "Cycling", 0.1, "messages"),
            _interest("bob", "Cycling", 0.8, "purchases"),
        ],
    ),
    "user_campaign_engagement": _computed(
        "user_campaign_engagement",
        [{"user_id": "bob", "campaign_id": "c-1", "events": 4}, {"user_id": None, "campaign_id": "c-2"}],
    ),
    "purchases": rows_of(
        "purchases",
        [
            _bought("ann", "tent", "o1", 10),
            _bought("ann", "bell", "o1", 10),
            _bought("ann", "tent", "o2", 200),
            _bought("bob", "tent", "o3", 5, quantity=-1),
            _bought(None, "tent", "o4", 5),
        ],
    ),
    "products": rows_of(
        "products",
        [{"product_id": "tent", "category": "Camping"}, {"product_id": "bell", "category": "Cycling"}],
    ),
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> tuple[DuckDBWarehouse, dict[str, TableRef]]:
    assert set(TABLES) == set(READS)
    return stored(tmp_path_factory.mktemp("warehouse"), TABLES)


Stored = tuple[DuckDBWarehouse, dict[str, TableRef]]


def criteria(who: Who) -> Criteria:
    read, plain = read_criteria(who, FEATURES)
    assert list(unfit(read, plain, FEATURES)) == []
    return read


def members(found: Stored, who: Who) -> set[str]:
    asked = members_query(criteria(who), FEATURES, END)
    warehouse, refs = found
    rows = warehouse.query(Select(asked.sql, [refs[name] for name in asked.tables], asked.parameters))
    ids: list[str] = rows["user_id"].to_pylist()
    assert len(ids) == len(set(ids))
    return set(ids)


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ({"user": {"country": ["DE", "AT"]}}, {"ann", "bob"}),
        ({"user": {"country": {"not": "DE"}}}, {"bob"}),  # of cyd nobody knows where from
        ({"user": {"marketing_consent": True}}, {"ann"}),
        ({"none": [{"user": {"marketing_consent": True}}]}, {"bob", "cyd"}),
        ({"user": {"signed_up_on": {"at_least": "2026-01-01"}}}, {"ann"}),
        ({"features": {"spend": {"at_least": 99.5}}}, {"ann"}),
        ({"features": {"spend": {"at_least": 99.51}}}, set()),
        ({"features": {"orders": 0}, "engagement": {"clicks": {"at_least": 1}}}, {"bob"}),
        ({"features": {"mean_satisfaction": {"at_most": 5}}}, {"ann"}),
        ({"none": [{"features": {"mean_satisfaction": {"at_most": 5}}}]}, {"bob", "cyd"}),
        ({"engagement": {"last_at": {"at_least": "2026-06-30"}}}, {"bob"}),
        ({"none": [{"engagement": {"clicks": {"at_least": 1}}}]}, {"ann", "cyd"}),  # neither has any event
        ({"interest": {"interest": "Cycling"}}, {"ann", "bob"}),
        ({"interest": {"interest": "Cycling", "strength": {"at_least": 0.5}}}, {"bob"}),  # of one row
        ({"interest": {"source": ["stated", "purchases"]}}, {"ann", "bob"}),
        ({"none": [{"interest": {"interest": "Cycling"}}]}, {"cyd"}),
        ({"campaign": {"campaign_id": "c-1", "events": {"at_least": 2}}}, {"bob"}),
        ({"none": [{"campaign": {"campaign_id": "c-2"}}]}, {"ann", "bob", "cyd"}),  # nobody's events
        ({"bought": {}}, {"ann"}),  # returns and anonymous sales are no order of anybody
        ({"bought": {"orders": 2}}, {"ann"}),
        ({"bought": {"orders": 2, "days": 90}}, set()),
        ({"bought": {"orders": 2, "where": {"products.category": "Cycling"}}}, set()),
        ({"bought": {"where": {"product_id": "bell"}, "days": 30}}, {"ann"}),
        ({"none": [{"bought": {"days": 30}}]}, {"bob", "cyd"}),
        ({"any": [{"bought": {}}, {"user": {"country": "AT"}}]}, {"ann", "bob"}),
        ({"all": [{"bought": {}}, {"user": {"country": "AT"}}]}, set()),
        ({"none": [{"bought": {}}, {"user": {"country": "AT"}}]}, {"cyd"}),
        ({"any": [{"all": [{"bought": {}}, {"interest": {"interest": "Camping"}}]}]}, {"ann"}),
        ({"user": {"country": "'; DROP TABLE users; --"}}, set()),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:60],
)
def test_who_belongs(warehouse: Stored, who: Who, expected: set[str]) -> None:
    assert members(warehouse, who) == expected


_LEAVES = st.sampled_from(
    [
        {"user": {"country": "DE"}},
        {"user": {"country": {"not": "DE"}}},
        {"features": {"mean_satisfaction": {"at_least": 4}}},
        {"engagement": {"clicks": {"at_most": 9}}},
        {"interest": {"interest": "Cycling"}},
        {"campaign": {"campaign_id": ["c-1", "c-2"]}},
        {"bought": {"days": 30}},
    ]
)
_WHO = st.recursive(
    _LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from(["all", "any", "none"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(_WHO)
def test_groups_are_the_algebra_of_sets(warehouse: Stored, who: Who) -> None:
    everybody = {"ann", "bob", "cyd"}

    def expected(part: Who) -> set[str]:
        if not {"all", "any", "none"} & part.keys():
            return members(warehouse, part)
        found = everybody
        for key, group in part.items():
            sets = [expected(one) for one in group]
            together = set.intersection(*sets) if key == "all" else set.union(*sets)
            found = found & (everybody - together if key == "none" else together)
        return found

    assert members(warehouse, who) == expected(who)


def test_counts_and_samples(warehouse: Stored) -> None:
    asked = members_query(criteria({"user": {"country": ["DE", "AT"]}}), FEATURES, END)
    store, refs = warehouse
    tables = [refs[name] for name in asked.tables]
    assert [ref.name for ref in tables] == ["users"]
    counted = store.query(Select(count_sql(asked), tables, asked.parameters)).to_pylist()
    assert counted == [{"users": 2, "consenting": 1}]
    sample = store.query(Select(sample_sql(asked), tables, {**asked.parameters, "most": 1}))
    assert sample["user_id"].to_pylist() == ["ann"]


def test_all_segments_are_one_query(warehouse: Stored) -> None:
    segments = [
        Segment(name, "-", criteria(who))
        for name, who in {
            "buyers": {"bought": {"days": 30}},
            "nobody": {"user": {"country": "XX"}},
            "known": {"user": {"country": ["DE", "AT"]}},
        }.items()
    ]
    asked = segments_query(segments, FEATURES, END)
    store, refs = warehouse
    rows = store.query(Select(asked.sql, list(refs.values()), asked.parameters)).to_pylist()
    assert {(row["segment"], row["user_id"]) for row in rows} == {
        ("buyers", "ann"),
        ("known", "ann"),
        ("known", "bob"),
    }
    counted = store.query(Select(counts_sql(asked), list(refs.values()), asked.parameters)).to_pylist()
    assert {row["segment"]: row["users"] for row in counted} == {"buyers": 1, "known": 2}
    none = segments_query([], FEATURES, END)
    empty = store.query(Select(none.sql, list(refs.values()), none.parameters))
    assert (empty.column_names, empty.num_rows) == (["segment", "user_id"], 0)
