"""Products from tables: nothing of the future is learned from, and every answer says truly why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from scipy import sparse

from marketing_platform.encoders.messages import text_table
from marketing_platform.recommenders.answers import ProductItem, ProductRecommendationsAnswer
from marketing_platform.recommenders.feedback import ToldByUsers
from marketing_platform.recommenders.item_training import READS, Products, products_of
from marketing_platform.recommenders.product_batches import recommend_products, repeats_allowed
from marketing_platform.recommenders.product_learning import Evaluated, evaluate_products, hybrid_of
from marketing_platform.recommenders.rules import Impressions, Rule, RuleBook
from marketing_platform.stores.protocols import Select
from marketing_platform_tests.tables import rows_of, stored

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
CATEGORIES = ("Camping", "Garden", "Kitchen")
DIM = 8
LIMIT = 5

Rows = dict[str, list[dict[str, Any]]]


def shop(*, seed: int = 0, days: int = 150, users: int = 60) -> Rows:
    """Users who mostly buy in one of three categories; the last one never bought, said or did anything."""
    chance = np.random.default_rng(seed)
    people, goods = [f"u{n:02}" for n in range(users)], [f"p{n:02}" for n in range(24)]
    rows: Rows = {
        "users": [{"user_id": user, "marketing_consent": True} for user in people],
        "products": [
            {
                "product_id": product,
                "name": f"Thing {product}",
                "category": CATEGORIES[number % 3],
                "description": f"A {CATEGORIES[number % 3].lower()} thing.",
                "in_stock": True,
            }
            for number, product in enumerate(goods)
        ],
        "campaigns": [
            {"campaign_id": f"c{n}", "category": category} for n, category in enumerate(CATEGORIES)
        ],
        "purchases": [],
        "interests": [],
        "user_campaign_engagement": [],
    }
    for number, user in enumerate(people[:-1]):
        taste = number % 3
        for _ in range(int(chance.integers(1, 9))):
            place = int(chance.integers(8)) * 3 + (
                taste if chance.random() < 0.8 else int(chance.integers(3))
            )
            moment = NOW - timedelta(days=float(chance.random() * days))
            rows["purchases"].append(bought(user, goods[place], moment))
        if chance.random() < 0.5:
            rows["interests"].append(interest(user, CATEGORIES[taste], NOW - timedelta(days=140)))
        if chance.random() < 0.5:
            rows["user_campaign_engagement"].append(
                {"user_id": user, "campaign_id": f"c{taste}", "first_at": NOW - timedelta(days=100)}
            )
    rows["purchases"].append(bought(people[0], goods[0], NOW))
    return rows


def bought(user: str | None, product: str, moment: datetime, quantity: int = 1) -> dict[str, Any]:
    return {"user_id": user, "product_id": product, "timestamp": moment, "quantity": quantity}


def interest(user: str, name: str, moment: datetime, strength: float = 1.0) -> dict[str, Any]:
    return {"user_id": user, "interest": name, "strength": strength, "timestamp": moment}


def known(folder: Path, rows: Rows) -> Products:
    """What the pipeline reads of these tables, through a real warehouse."""
    tables = {name: rows_of(name, rows[name]) for name in rows if name != "user_campaign_engagement"}
    engagement = [
        ("user_id", pa.string()),
        ("campaign_id", pa.string()),
        ("first_at", pa.timestamp("us", "UTC")),
    ]
    tables["user_campaign_engagement"] = pa.Table.from_pylist(
        rows["user_campaign_engagement"], pa.schema(engagement)
    )
    texts = sorted({f"{row['name']}. {row['description']}" for row in rows["products"]})
    vectors = np.random.default_rng(5).normal(size=(len(texts), DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tables["text_embeddings"] = text_table(texts, vectors.astype(np.float32))
    warehouse, refs = stored(folder, tables)
    return products_of(lambda sql: warehouse.query(Select(sql, [refs[name] for name in READS])), dim=DIM)


def untold(products: Products) -> ToldByUsers:
    """Nobody told anything about what was shown."""
    nothing = np.zeros(0, np.int64)
    shape = (len(products.training.users), len(products.training.items))
    return ToldByUsers(Impressions(nothing, nothing, np.zeros(0)), sparse.csr_matrix(shape, dtype=np.float32))


def answers(
    products: Products, evaluated: Evaluated, rules: Sequence[Rule] = ()
) -> dict[str, ProductRecommendationsAnswer]:
    """What is stored for every user, read as the API documents it."""
    hybrid = hybrid_of(orjson.loads(orjson.dumps(evaluated.document())), products.training)
    chunks = recommend_products(products, hybrid, rules, untold(products), limit=LIMIT, today=NOW.date())
    return {
        key: ProductRecommendationsAnswer.model_validate_json(answer)
        for chunk in chunks
        for key, answer in zip(chunk["key"].to_pylist(), chunk["answer"].to_pylist(), strict=True)
    }


@pytest.fixture(scope="module", params=[0, 1, 2], ids=lambda seed: f"shop {seed}")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Rows, Products, Evaluated, dict[str, ProductRecommendationsAnswer]]:
    rows = shop(seed=request.param)
    products = known(tmp_path_factory.mktemp("shop"), rows)
    evaluated = evaluate_products(products, repeats=True)
    return rows, products, evaluated, answers(products, evaluated)


def test_shares_add_up_to_one_and_causes_are_within_their_share(served: Any) -> None:
    for answer in served[3].values():
        for item in answer.items:
            assert sum(part.share for part in item.contributions) == pytest.approx(1, abs=1e-5)
            for part in item.contributions:
                assert 0 < sum(cause.share for cause in part.causes) <= part.share + 1e-5


def test_every_path_exists_in_the_tables(served: Any) -> None:
    rows, _, _, found = served
    kinds: set[tuple[str, ...]] = set()
    for user, answer in found.items():
        assert len(answer.items) == LIMIT
        for item in answer.items:
            kinds.add(walk(rows, user, item))
    assert ("Product",) in kinds, "the user without a trace"
    assert len(kinds) > 2


def walk(rows: Rows, user: str, item: ProductItem) -> tuple[str, ...]:
    """Follow the path over the tables; fails at the first step that they do not hold."""
    category = {row["product_id"]: row["category"] for row in rows["products"]}
    promoted = {row["campaign_id"]: row["category"] for row in rows["campaigns"]}
    purchases = {(row["user_id"], row["product_id"]) for row in rows["purchases"]}
    interests = {(row["user_id"], row["interest"]) for row in rows["interests"]}
    parts = {(row["user_id"], row["campaign_id"]) for row in rows["user_campaign_engagement"]}
    nodes, relations = item.path[::2], item.path[1::2]
    if len(nodes) > 1:
        assert (nodes[0].label, nodes[0].id) == ("User", user)
    assert (nodes[-1].label, nodes[-1].id) == ("Product", item.product_id)
    for start, relation, end in zip(nodes, relations, nodes[1:], strict=False):
        holds: Mapping[str, bool] = {
            "PURCHASED": (start.id, end.id) in purchases,
            "INTERESTED_IN": (start.id, end.id) in interests,
            "PARTICIPATED_IN": (start.id, end.id) in parts,
            "PROMOTES": promoted.get(start.id or "") == end.id,
            "NAMES": start.id == end.id,
            "BELONGS_TO": category.get(end.id or "") == start.id,
            "SIMILAR_TO": start.id != end.id,
            "GOES_WITH": start.id != end.id,
        }
        assert holds[relation.label], (start, relation, end)
    return tuple(step.label for step in item.path)


def test_a_user_without_a_trace_is_told_that_others_decide(served: Any) -> None:
    rows, _, _, found = served
    stranger = found[rows["users"][-1]["user_id"]]
    assert stranger.strategy in {"trending", "popular"}
    assert all(item.path[0].label == "Product" and "most users" in item.reason for item in stranger.items)


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    documents = []
    for folder in ("once", "again"):
        products = known(tmp_path / folder, shop())
        evaluated = evaluate_products(products, repeats=True)
        documents.append((evaluated.document(), answers(products, evaluated)))
    assert documents[0] == documents[1]


def test_nothing_of_the_held_out_days_is_learned_from(tmp_path: Path) -> None:
    rows = shop()
    plain = known(tmp_path / "plain", rows)
    spy = rows["users"][-1]["user_id"]
    # Planted within the days to be found: an interest, a campaign and a purchase.
    rows["interests"].append(interest(spy, "Camping", NOW - timedelta(days=3)))
    rows["user_campaign_engagement"].append(
        {"user_id": spy, "campaign_id": "c0", "first_at": NOW - timedelta(days=3)}
    )
    rows["purchases"].append(bought(spy, "p00", NOW - timedelta(days=3)))
    leaky = known(tmp_path / "leaky", rows)
    row = int(np.flatnonzero(leaky.training.users == spy)[0])

    assert all(links.of_users[row].nnz == 1 for links in leaky.training.links.values()), "known by now"
    for before, after in zip(plain.held_out(seed=0)[:2], leaky.held_out(seed=0)[:2], strict=True):
        assert after.learn.strength[row].nnz == 0
        for kind, links in after.learn.links.items():
            assert (links.of_users != before.learn.links[kind].of_users).nnz == 0, kind
    assert leaky.held_out(seed=0)[0].later[row].nnz == 1


def test_the_latest_statement_about_an_interest_counts(tmp_path: Path) -> None:
    rows = shop()
    user = rows["users"][-1]["user_id"]
    rows["interests"] += [
        interest(user, "Garden", NOW - timedelta(days=90)),
        interest(user, "Garden", NOW - timedelta(days=10), strength=0.0),
    ]
    products = known(tmp_path, rows)
    row = int(np.flatnonzero(products.training.users == user)[0])
    assert products.training.links["interest"].of_users[row].nnz == 0
    held = products.held_out(seed=0)[0].learn.links["interest"]
    assert held.of_users[row].nnz == 1, "28 days ago it was still true"


def test_returns_take_back_and_anonymous_sales_count_for_nobody(tmp_path: Path) -> None:
    rows = shop()
    user = rows["users"][-1]["user_id"]
    rows["purchases"] += [
        bought(user, "p01", NOW - timedelta(days=5), 2),
        bought(user, "p01", NOW - timedelta(days=4), -2),
        bought(user, "p02", NOW - timedelta(days=5), 3),
        bought(user, "p02", NOW - timedelta(days=4), -1),
        bought(None, "p03", NOW - timedelta(days=4)),
    ]
    products = known(tmp_path, rows)
    row = int(np.flatnonzero(products.training.users == user)[0])
    assert products.training.items[products.training.taken[row].indices].tolist() == ["p02"]


def test_where_history_is_short_chance_decides_what_is_held_out(tmp_path: Path) -> None:
    products = known(tmp_path, shop(days=20))
    evaluated = evaluate_products(products, repeats=True)
    assert "at random" in evaluated.how
    assert evaluated.of_hybrid is not None
    assert 0 < evaluated.of_hybrid.ndcg <= 1


def test_a_shop_without_a_sale_shows_what_speaks_for_it_or_its_catalogue(tmp_path: Path) -> None:
    rows = shop() | {"purchases": []}
    products = known(tmp_path, rows)
    evaluated = evaluate_products(products, repeats=True)
    assert (evaluated.of_hybrid, evaluated.rows) == (None, [])
    found = answers(products, evaluated)
    stranger = found[rows["users"][-1]["user_id"]]
    assert stranger.strategy == "catalogue"
    assert [item.product_id for item in stranger.items] == [f"p{n:02}" for n in range(LIMIT)]
    interested = rows["interests"][0]
    first = found[interested["user_id"]].items[0]
    category = {row["product_id"]: row["category"] for row in rows["products"]}
    assert category[first.product_id] == interested["interest"]


@pytest.mark.parametrize("there", ["users", "products"])
def test_without_products_or_users_there_is_nothing_to_show(tmp_path: Path, there: str) -> None:
    rows = {name: given if name == there else [] for name, given in shop().items()}
    products = known(tmp_path, rows)
    rules = RuleBook.model_validate(
        {"products": [{"rule": "exclude", "name": "sold out", "when": "out_of_stock"}]}
    ).products
    found = answers(products, evaluate_products(products, repeats=True), rules)
    assert [answer.items for answer in found.values()] == [()] * len(rows["users"])


@pytest.mark.parametrize("bought_by", [["u00"], ["u00", "u00", "u00"], ["u00", "u01"]])
def test_hardly_any_sales_are_no_error(tmp_path: Path, bought_by: list[str]) -> None:
    sales = [bought(user, f"p{n:02}", NOW - timedelta(days=n)) for n, user in enumerate(bought_by)]
    products = known(tmp_path, shop() | {"purchases": sales})
    found = answers(products, evaluate_products(products, repeats=True))
    assert all(len(answer.items) == LIMIT for answer in found.values())


def test_rules_decide_last_and_are_named(tmp_path: Path) -> None:
    rows = shop()
    rows["products"][0]["in_stock"] = False
    rows["users"][3]["marketing_consent"] = False
    products = known(tmp_path, rows)
    rules = RuleBook.model_validate(
        {
            "products": [
                {"rule": "exclude", "name": "sold out", "when": "out_of_stock"},
                {"rule": "exclude", "name": "said no", "when": "opted_out"},
                {"rule": "exclude", "name": "has it", "when": "already_bought"},
                {"rule": "pin", "name": "summer", "item": "p05", "position": 1},
            ]
        }
    ).products
    assert not repeats_allowed(rules)
    found = answers(products, evaluate_products(products, repeats=False), rules)
    assert found[rows["users"][3]["user_id"]].items == ()
    own = {(row["user_id"], row["product_id"]) for row in rows["purchases"]}
    for user, answer in found.items():
        shown = [item.product_id for item in answer.items]
        assert "p00" not in shown
        assert not any((user, product) in own for product in shown)
        if answer.items and (user, "p05") not in own:
            assert shown[0] == "p05"
            assert answer.items[0].rules == ("pin summer at 1",)


def test_today_is_only_for_rules(served: Any) -> None:
    _, products, evaluated, found = served
    hybrid = hybrid_of(evaluated.document(), products.training)
    later = recommend_products(products, hybrid, (), untold(products), limit=LIMIT, today=date(2030, 1, 1))
    first = orjson.loads(next(iter(later))["answer"][0].as_py())
    assert first["items"][0]["product_id"] == found[first["user_id"]].items[0].product_id
