"""Which products go together, and what users care about: small tables whose figures one can count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform.analytics import aggregate
from marketing_platform.graph.interests import MESSAGE_INTERESTS
from marketing_platform.stores.protocols import Select
from marketing_platform_tests.tables import rows_of, stored

NOW = datetime(2026, 6, 30, tzinfo=UTC)
Rows = Sequence[Mapping[str, Any]]


def computed(folder: Path, name: str, **tables: pa.Table) -> list[dict[str, Any]]:
    warehouse, refs = stored(folder, tables)
    return warehouse.query(Select(aggregate(name).query, list(refs.values()))).to_pylist()


def pairs(folder: Path, baskets: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], dict[str, Any]]:
    lines = [
        {"order_id": order, "product_id": product, "quantity": 1}
        for order, products in baskets.items()
        for product in products
    ]
    found = computed(folder, "product_pairs", purchases=rows_of("purchases", lines))
    return {(row["product_id"], row["other_product_id"]): row for row in found}


TENTS = {f"o{number}": ["tent", "peg"] for number in range(3)}
OTHERS = {"o7": ["tent"], "o8": ["mug"], "o9": ["mug", "mug"]}


def test_what_goes_together_is_told_with_its_measures(tmp_path: Path) -> None:
    found = pairs(tmp_path, TENTS | OTHERS)
    assert set(found) == {("tent", "peg"), ("peg", "tent")}
    pair = found["tent", "peg"]
    assert pair["orders"] == 3
    assert pair["support"] == pytest.approx(3 / 6)
    assert pair["confidence"] == pytest.approx(3 / 4)
    assert pair["lift"] == pytest.approx(3 * 6 / (4 * 3))
    assert pair["leverage"] == pytest.approx(3 / 6 - 4 / 6 * 3 / 6)
    assert found["peg", "tent"]["confidence"] == 1
    assert all(found["peg", "tent"][name] == pair[name] for name in ("support", "lift", "leverage"))


def test_what_meets_by_chance_does_not_go_together(tmp_path: Path) -> None:
    everywhere = {f"o{number}": ["bag", ["a", "b"][number % 2]] for number in range(8)}
    assert pairs(tmp_path, everywhere) == {}  # a bag is in every order: its lift is 1


def test_two_orders_are_too_few(tmp_path: Path) -> None:
    assert pairs(tmp_path, {"o0": ["tent", "peg"], "o1": ["tent", "peg"], "o2": ["mug"]}) == {}


def test_returns_and_lines_without_an_order_are_no_basket(tmp_path: Path) -> None:
    returned = [{"order_id": f"o{n}", "product_id": p, "quantity": -1} for n in range(9) for p in ("a", "b")]
    loose = [{"order_id": None, "product_id": p, "quantity": 1} for _ in range(9) for p in ("a", "b")]
    assert computed(tmp_path, "product_pairs", purchases=rows_of("purchases", [*returned, *loose])) == []


def test_an_order_of_a_wholesaler_counts_nowhere(tmp_path: Path) -> None:
    wholesale = [f"p{number:03d}" for number in range(101)]
    orders = {f"w{number}": [*wholesale, "tent", "peg"] for number in range(50)}
    with_them = pairs(tmp_path / "with", TENTS | OTHERS | orders)
    assert with_them == pairs(tmp_path / "without", TENTS | OTHERS)


def test_of_a_product_the_strongest_stay(tmp_path: Path) -> None:
    # A tent with each of 25 things, three times with the first five and six times with the others.
    baskets = {
        f"o{thing}-{time}": ["tent", f"thing{thing:02d}"]
        for thing in range(25)
        for time in range(3 if thing < 5 else 6)
    } | {f"x{number}": ["mug"] for number in range(200)}
    found = pairs(tmp_path, baskets)
    assert {other for product, other in found if product == "tent"} == {f"thing{n:02d}" for n in range(5, 25)}
    assert ("thing00", "tent") in found


def interests(
    folder: Path, *, said: Rows = (), bought: Rows = (), about: Rows = ()
) -> dict[str, tuple[float, str, float]]:
    found = computed(
        folder,
        "derived_interests",
        interests=rows_of("interests", [{"user_id": "ann", **row} for row in said]),
        purchases=rows_of(
            "purchases", [{"user_id": "ann", "quantity": 1, "timestamp": NOW, **row} for row in bought]
        ),
        products=rows_of(
            "products",
            [
                {"product_id": "tent", "category": "Camping"},
                {"product_id": "bell", "category": "Cycling"},
                {"product_id": "gift"},
            ],
        ),
        message_interests=pa.Table.from_pylist(
            [{"user_id": "ann", **row} for row in about], MESSAGE_INTERESTS
        ),
    )
    return {row["interest"]: (row["strength"], row["source"], row["confidence"]) for row in found}


def test_purchases_show_interests_by_their_share_and_number(tmp_path: Path) -> None:
    bought = [{"product_id": "tent"}, {"product_id": "tent"}, {"product_id": "bell"}, {"product_id": "gift"}]
    assert interests(tmp_path, bought=[*bought, {"product_id": "bell", "quantity": -1}]) == {
        "Camping": (pytest.approx(2 / 3), "purchases", pytest.approx(2 / 3)),
        "Cycling": (pytest.approx(1 / 3), "purchases", pytest.approx(1 / 2)),
    }


def test_a_purchase_counts_half_after_180_days(tmp_path: Path) -> None:
    old = {"product_id": "bell", "timestamp": NOW - timedelta(days=180)}
    found = interests(tmp_path, bought=[{"product_id": "tent"}, old])
    assert found["Cycling"] == (pytest.approx(1 / 3), "purchases", pytest.approx(0.5 / 1.5))


def test_messages_show_interests_too(tmp_path: Path) -> None:
    about = [{"interest": "Camping", "messages": 3, "written": 4}]
    assert interests(tmp_path, about=about) == {"Camping": (0.75, "messages", 0.75)}


def test_the_surest_and_strongest_of_what_was_shown_counts(tmp_path: Path) -> None:
    about = [{"interest": "Camping", "messages": 9, "written": 9}]
    assert interests(tmp_path, bought=[{"product_id": "tent"}], about=about)["Camping"] == (
        1,
        "messages",
        0.9,
    )


def test_what_a_user_says_counts_even_if_it_is_no(tmp_path: Path) -> None:
    said = [{"interest": "Camping", "strength": 0.0, "source": "survey", "timestamp": NOW}]
    earlier = [
        {"interest": "Camping", "strength": 1.0, "source": "profile", "timestamp": NOW - timedelta(days=9)}
    ]
    found = interests(tmp_path, said=[*said, *earlier], bought=[{"product_id": "tent"}])
    assert found == {"Camping": (0, "stated", 1)}


def test_what_a_source_inferred_is_half_as_sure_and_gives_way(tmp_path: Path) -> None:
    said = [
        {"interest": "Camping", "strength": 0.5, "source": "purchase"},
        {"interest": "Garden", "strength": 0.4, "source": "message"},
    ]
    assert interests(tmp_path, said=said, bought=[{"product_id": "tent"}] * 4) == {
        "Camping": (1, "purchases", 0.8),
        "Garden": (0.4, "messages", 0.5),
    }
