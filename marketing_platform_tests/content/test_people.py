"""What personal content may know of a user."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from marketing_platform.analytics import aggregate
from marketing_platform.content import people
from marketing_platform.content.people import Complement, Person
from marketing_platform.recommenders.rules.spec import Condition
from marketing_platform.stores.protocols import Select
from marketing_platform_tests.tables import rows_of, stored

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_document_says_what_is_known_and_matches_users_whatever_the_chunks(tmp_path: Path) -> None:
    known = _known(
        tmp_path,
        users=[
            {"user_id": "ann", "name": "Ann", "email": "ann@example.com", "marketing_consent": True},
            {"user_id": "bob"},
            {"user_id": "zoë", "language": "de"},
        ],
        purchases=[
            _bought("ann", "tent", MAY, satisfaction=2),
            _bought("ann", "tent", JUNE, satisfaction=5),
            _bought("ann", "lamp", JUNE),
            _bought("zoë", "lamp", MAY),
            _bought(None, "lamp", JUNE),
        ],
        derived_interests=[
            _cares("ann", "Camping", 0.9, 1.0),
            _cares("ann", "Light", 0.0, 1.0),
            _cares("zoë", "Light", 0.8, 0.5),
            _cares("zoë", "Sea", 0.5, 1.0),
        ],
    )
    ann, bob, zoe = known["ann"], known["bob"], known["zoë"]
    assert (ann.name, ann.email, ann.marketing_consent) == ("Ann", "ann@example.com", True)
    assert [(bought.product_id, bought.last_at, bought.satisfaction) for bought in ann.purchases] == [
        ("lamp", JUNE, None),
        ("tent", JUNE, 5),
    ]
    assert ann.purchases[1].name == "Tent for two"
    assert [(one.interest, one.strength, one.source, one.confidence) for one in ann.interests] == [
        ("Camping", 0.9, "stated", 1.0)
    ]
    assert bob == Person("bob", None, None, None, None, None, (), ())
    assert [bought.product_id for bought in zoe.purchases] == ["lamp"]
    assert [one.interest for one in zoe.interests] == ["Sea", "Light"]


def test_what_was_sent_back_is_not_had_and_the_newest_stay(tmp_path: Path) -> None:
    many = [_bought("ann", f"p{number:02}", MAY.replace(day=1 + number)) for number in range(20)]
    sent_back = [_bought("ann", "tent", MAY), _bought("ann", "tent", JUNE, quantity=-1)]
    ann = _known(tmp_path, users=[{"user_id": "ann"}], purchases=[*many, *sent_back], derived_interests=[])[
        "ann"
    ]
    assert [bought.product_id for bought in ann.purchases] == [
        f"p{number:02}" for number in range(19, 19 - people.MOST, -1)
    ]


def test_what_goes_with_a_purchase_is_known_unless_it_is_there_or_may_not_be_shown(tmp_path: Path) -> None:
    ann = _known(
        tmp_path,
        users=[{"user_id": "ann"}, {"user_id": "bob"}],
        purchases=[_bought("ann", "tent", MAY), _bought("ann", "lamp", JUNE)],
        derived_interests=[],
        product_pairs=[
            _pair("tent", "lamp", 0.9),
            _pair("tent", "bag", 0.8),
            _pair("tent", "van", 0.7),
            _pair("tent", "mat", 0.6),
            _pair("lamp", "oil", 0.1),
            _pair("mat", "bed", 0.9),
        ],
    )["ann"]
    # The lamp is theirs, the bag sold out, the van excluded by a rule; of the oil only the id is known.
    assert ann.complements == (
        Complement("oil", None, None, "lamp"),
        Complement("mat", "Mat", "Camping", "tent"),
    )


def _pair(product: str, other: str, leverage: float) -> dict[str, Any]:
    return {"product_id": product, "other_product_id": other, "orders": 3, "leverage": leverage}


def _known(folder: Path, **rows: list[dict[str, Any]]) -> dict[str, Person]:
    products = [
        {"product_id": "tent", "name": "Tent for two", "category": "Camping"},
        {"product_id": "mat", "name": "Mat", "category": "Camping", "price": Decimal(20)},
        {"product_id": "bag", "name": "Bag", "category": "Camping", "in_stock": False},
        {"product_id": "van", "name": "Van", "category": "Cars"},
    ]
    computed = {
        name: pa.Table.from_pylist(rows.pop(name, []), schema=aggregate(name).arrow_schema)
        for name in ("derived_interests", "product_pairs")
    }
    tables = {name: rows_of(name, given) for name, given in {**rows, "products": products}.items()}
    warehouse, refs = stored(folder, {**tables, **computed})

    def chunks(sql: str, *names: str):
        parameters = {"most": people.MOST} if "$most" in sql else {}
        return warehouse.batches(Select(sql, [refs[name] for name in names], parameters), chunk_rows=2)

    excluded = [{"category": Condition.model_validate({"is": ["Cars"]})}]
    pairs = Select(
        people.pairs_sql(excluded), [refs["product_pairs"], refs["products"]], {"most": people.MOST_PAIRS}
    )
    prepared = people.people(
        chunks(people.USERS_SQL, "users"),
        chunks(people.PURCHASES_SQL, "purchases", "products"),
        chunks(people.INTERESTS_SQL, "derived_interests"),
        warehouse.query(pairs),
    )
    return {row["key"]: Person.read(row["answer"]) for chunk in prepared for row in chunk.to_pylist()}


def _bought(user: str | None, product: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {"user_id": user, "product_id": product, "timestamp": at, "quantity": 1, **more}


def _cares(user: str, interest: str, strength: float, confidence: float) -> dict[str, Any]:
    known = {"user_id": user, "interest": interest, "strength": strength}
    return {**known, "source": "stated", "confidence": confidence}
