"""Stored lists: spares behind what is shown, lists of one family, and what was suppressed before."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from scipy import sparse

from marketing_platform.recommenders.answers import (
    ANSWER_SCHEMA,
    ProductRecommendationsAnswer,
)
from marketing_platform.recommenders.feedback import ToldByUsers
from marketing_platform.recommenders.item_batches import recommend_items
from marketing_platform.recommenders.item_learning import evaluate_items, hybrid_of
from marketing_platform.recommenders.item_training import Items
from marketing_platform.recommenders.prepared import EVERYONE, StoredList
from marketing_platform.recommenders.product_lists import lists_of_family, trending_lists
from marketing_platform.recommenders.rules import Impressions, RuleBook
from marketing_platform.recommenders.suppressing import with_suppressions
from marketing_platform.releases.overrides import Suppressed
from marketing_platform_tests.recommenders.test_items import NOW, Rows, known, shop
from marketing_platform_tests.stored_answers import with_spares

TODAY = NOW.date()
SHOWN = 5
RULES = RuleBook.model_validate(
    {
        "products": [
            {"rule": "exclude", "name": "has it", "when": "already_bought"},
            {"rule": "exclude", "name": "said no", "when": "opted_out"},
            {"rule": "exclude", "name": "sold out", "when": "out_of_stock"},
            {"rule": "exclude", "name": "by hand", "when": "hidden"},
            {"rule": "exclude", "name": "by user", "when": "blocked_by_user"},
        ]
    }
).products


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Items, dict[str, Any]]:
    rows = shop()
    rows["users"][3]["marketing_consent"] = False
    products = known(tmp_path_factory.mktemp("shop"), rows)
    return rows, products, orjson.loads(orjson.dumps(evaluate_items(products, repeats=False).document()))


def stored(chunks: Any) -> dict[str, bytes]:
    table = pa.concat_tables(chunks)
    assert table.schema == ANSWER_SCHEMA
    return dict(zip(table["key"].to_pylist(), table["answer"].to_pylist(), strict=True))


def test_a_list_reads_back_as_it_was_whatever_the_texts_hold() -> None:
    items = [{"product_id": f"p\n{n}", "name": 'a "b"\\n\u2028', "score": n} for n in range(4)]
    plain = orjson.dumps({"user_id": "u\n1", "strategy": "hybrid", "items": items})
    chunk = pa.table({"key": ["u\n1"], "answer": [plain]}, schema=ANSWER_SCHEMA)
    read = StoredList.read(stored([with_spares(chunk, shown=2, categories={"p\n1": "Tents"})])["u\n1"])

    assert (read.shown, read.ids, read.categories) == (
        2,
        [f"p\n{n}" for n in range(4)],
        [None, "Tents", None, None],
    )
    answer = orjson.loads(read.answer([3, 0], {"p\n1": "exclude sold out"}))
    assert answer["items"] == [items[3], items[0]]
    assert answer["dropped"] == [{"item_id": "p\n1", "rule": "exclude sold out"}]
    assert list(answer) == ["user_id", "strategy", "dropped", "items"]
    for number in range(5):
        assert orjson.loads(read.answer(range(number)))["items"] == items[:number]
        backwards = range(number)[::-1]
        assert orjson.loads(read.answer(backwards))["items"] == items[:number][::-1]

    older = StoredList.read(plain)
    assert (older.shown, older.ids, list(older.categories)) == (4, list(read.ids), [])
    assert orjson.loads(older.answer([1]))["items"] == [items[1]]


def test_a_list_without_items_is_one(given: tuple[Rows, Items, dict[str, Any]]) -> None:
    plain = orjson.dumps({"user_id": "u", "strategy": "hybrid", "items": []})
    chunk = pa.table({"key": ["u"], "answer": [plain]}, schema=ANSWER_SCHEMA)
    read = StoredList.read(stored([with_spares(chunk, shown=2, categories={})])["u"])
    assert orjson.loads(read.answer([])) == {"user_id": "u", "strategy": "hybrid", "dropped": [], "items": []}


@pytest.mark.parametrize(("family", "strategy"), [("discovery", "cross_category"), ("content", "content")])
def test_a_list_of_a_family_comes_from_it_alone(
    given: tuple[Rows, Items, dict[str, Any]], family: str, strategy: str
) -> None:
    rows, products, evaluated = given
    chunks = lists_of_family(products, evaluated, family, RULES, strategy=strategy, shown=SHOWN, today=TODAY)
    found = stored(chunks)
    assert list(found) == products.training.users.tolist()
    category = {row["product_id"]: row["category"] for row in rows["products"]}
    own: dict[str, set[str]] = {}
    for row in rows["purchases"]:
        own.setdefault(row["user_id"], set()).add(row["product_id"])
    filled = 0
    for user, blob in found.items():
        read = StoredList.read(blob)
        answer = ProductRecommendationsAnswer.model_validate_json(
            orjson.dumps({**read.head, "items": [orjson.loads(item) for item in read.items]})
        )
        assert answer.strategy == strategy
        filled += len(answer.items)
        mine = own.get(user, set())
        for item in answer.items:
            assert [part.recommender for part in item.contributions] == [family]
            assert item.product_id not in mine
            if family == "discovery":
                assert category[item.product_id] not in {category[one] for one in mine}
    assert filled
    assert StoredList.read(found[rows["users"][3]["user_id"]]).items == []


def test_trending_is_one_list_and_what_is_not_for_whom(given: tuple[Rows, Items, dict[str, Any]]) -> None:
    rows, products, evaluated = given
    found = stored(trending_lists(products, evaluated, RULES, shown=SHOWN, today=TODAY))
    assert set(found) == {EVERYONE, *products.training.users.tolist()}
    listed = StoredList.read(found.pop(EVERYONE))
    scores = [orjson.loads(item)["score"] for item in listed.items]
    assert scores == sorted(scores, reverse=True)
    assert (listed.head["strategy"], listed.shown) == ("trending", SHOWN)
    own = {(row["user_id"], row["product_id"]) for row in rows["purchases"]}
    for user, blob in found.items():
        told = orjson.loads(blob)
        has = [place for place, item in enumerate(listed.ids) if (user, item) in own]
        assert told["own"] == has
        everything = list(range(len(listed.ids)))
        assert told["out"] == (everything if user == rows["users"][3]["user_id"] else has)


def test_the_next_release_keeps_out_what_was_suppressed(
    given: tuple[Rows, Items, dict[str, Any]],
) -> None:
    _, products, evaluated = given
    suppressed = with_suppressions(
        products,
        Suppressed(
            hidden=frozenset({"p01", "gone"}),
            out_of_stock=frozenset({"p02"}),
            opted_out=frozenset({"u00", "nobody"}),
            blocked={"u01": frozenset({"p03", "gone"}), "nobody": frozenset({"p03"})},
        ),
    )
    hybrid = hybrid_of(evaluated, products.training)
    everything = len(products.training.items)
    found = stored(
        recommend_items(suppressed, hybrid, RULES, limit=everything, shown=everything, today=TODAY)
    )
    shown = {user: set(StoredList.read(blob).ids) for user, blob in found.items()}
    assert shown["u00"] == set()
    assert "p03" not in shown["u01"]
    assert not any(ids & {"p01", "p02"} for ids in shown.values())
    others = [ids for user, ids in shown.items() if user not in {"u00", "u01"}]
    assert any("p03" in ids for ids in others)
    assert not np.array_equal(suppressed.opted_out, products.opted_out)


def test_what_a_user_dismissed_is_in_no_list_of_that_user(given: tuple[Rows, Items, dict[str, Any]]) -> None:
    _, products, evaluated = given
    listed = stored(trending_lists(products, evaluated, RULES, shown=SHOWN, today=TODAY))
    first = StoredList.read(listed[EVERYONE]).ids[0]
    shape = (len(products.training.users), len(products.training.items))
    dismissed = sparse.lil_matrix(shape, dtype=np.float32)
    column = products.training.items.tolist().index(first)
    dismissed[0, column] = 1
    nothing = np.zeros(0, np.int64)
    told = ToldByUsers(Impressions(nothing, nothing, np.zeros(0)), dismissed.tocsr())
    found = stored(trending_lists(products, evaluated, RULES, told, shown=SHOWN, today=TODAY))
    dismisser, other = (str(user) for user in products.training.users[:2])
    assert 0 in orjson.loads(found[dismisser])["out"]
    assert orjson.loads(found[other]) == orjson.loads(listed[other])
    for family in ("discovery", "content"):
        lists = lists_of_family(
            products, evaluated, family, RULES, told, strategy=family, shown=SHOWN, today=TODAY
        )
        assert first not in StoredList.read(stored(lists)[dismisser]).ids
