"""Products and campaigns from tables: nothing of the future is learned, every answer says truly why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from marketing_platform.encoders.messages import text_table
from marketing_platform.recommenders import item_learning
from marketing_platform.recommenders.answers import (
    ANSWER_SCHEMA,
    ProductRecommendationsAnswer,
    RankedCampaignsAnswer,
)
from marketing_platform.recommenders.families import FAMILIES
from marketing_platform.recommenders.feedback import ToldByUsers, told_by_users
from marketing_platform.recommenders.hybrid import SEGMENTS
from marketing_platform.recommenders.item_batches import recommend_items, repeats_allowed
from marketing_platform.recommenders.item_kinds import CAMPAIGNS, PRODUCTS, ItemKind
from marketing_platform.recommenders.item_learning import Evaluated, evaluate_items, hybrid_of
from marketing_platform.recommenders.item_training import Items, items_of
from marketing_platform.recommenders.item_tuning import tune_items
from marketing_platform.recommenders.prepared import StoredList
from marketing_platform.recommenders.rules import Rule, RuleBook
from marketing_platform.stores.protocols import Select
from marketing_platform_tests.tables import rows_of, stored

pytestmark = pytest.mark.slow

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
TODAY = NOW.date()
CATEGORIES = ("Camping", "Garden", "Kitchen")
DIM = 8
LIMIT = 5
ANSWERS = {PRODUCTS.name: ProductRecommendationsAnswer, CAMPAIGNS.name: RankedCampaignsAnswer}

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
        "events": [],
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
        for _ in range(int(chance.integers(0, 6))):
            moment = NOW - timedelta(days=float(chance.random() * days))
            campaign = f"c{taste if chance.random() < 0.7 else int(chance.integers(3))}"
            said = f"I like {CATEGORIES[taste].lower()}" if chance.random() < 0.3 else None
            rows["events"].append(did(user, campaign, moment, "message" if said else "click", said))
    rows["events"].append(did(people[0], "c0", NOW))
    rows["purchases"].append(bought(people[0], goods[0], NOW))
    return rows


def bought(user: str | None, product: str, moment: datetime, quantity: int = 1) -> dict[str, Any]:
    return {"user_id": user, "product_id": product, "timestamp": moment, "quantity": quantity}


def interest(user: str, name: str, moment: datetime, strength: float = 1.0) -> dict[str, Any]:
    return {"user_id": user, "interest": name, "strength": strength, "timestamp": moment}


def did(
    user: str | None, campaign: str, moment: datetime, what: str = "click", said: str | None = None
) -> dict[str, Any]:
    return {
        "user_id": user,
        "campaign_id": campaign,
        "timestamp": moment,
        "event_type": what,
        "message": said,
    }


def known(folder: Path, rows: Rows, kind: ItemKind = PRODUCTS) -> Items:
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
    texts = sorted(
        {f"{row['name']}. {row['description']}" for row in rows["products"]}
        | {f". {row['category']}" for row in rows["campaigns"]}
        | {row["message"] for row in rows["events"] if row["message"]}
    )
    vectors = np.random.default_rng(5).normal(size=(len(texts), DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tables["text_embeddings"] = text_table(texts, vectors.astype(np.float32))
    warehouse, refs = stored(folder, tables)
    read = [refs[name] for name in kind.reads]
    return items_of(kind, lambda sql: warehouse.query(Select(sql, read)), dim=DIM)


def answers(
    items: Items,
    evaluated: Evaluated,
    rules: Sequence[Rule] = (),
    told: ToldByUsers | None = None,
    today: date = TODAY,
) -> dict[str, Any]:
    """What is stored for every user, read as the API documents it."""
    hybrid = hybrid_of(orjson.loads(orjson.dumps(evaluated.document())), items.training)
    return read(recommend_items(items, hybrid, rules, told, limit=LIMIT, shown=LIMIT, today=today), items)


def read(chunks: Iterable[pa.Table], items: Items) -> dict[str, Any]:
    """Stored lists with all their items, by user."""
    found: dict[str, Any] = {}
    for chunk in chunks:
        assert chunk.schema == ANSWER_SCHEMA
        for key, stored_list in zip(chunk["key"].to_pylist(), chunk["answer"].to_pylist(), strict=True):
            told = StoredList.read(stored_list)
            document = {**told.head, "items": [orjson.loads(item) for item in told.items]}
            answer = ANSWERS[items.kind.name].model_validate_json(orjson.dumps(document))
            ids = [getattr(item, items.kind.id_column) for item in answer.items]
            assert (answer.user_id, told.ids) == (key, ids)
            assert told.categories == [items.category_of[one] for one in ids]
            found[key] = answer
    return found


@pytest.fixture(
    scope="module",
    params=[(0, PRODUCTS), (1, PRODUCTS), (2, PRODUCTS), (0, CAMPAIGNS), (1, CAMPAIGNS)],
    ids=lambda given: f"shop {given[0]}, {given[1].name}",
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Rows, Items, Evaluated, dict[str, Any]]:
    seed, kind = request.param
    rows = shop(seed=seed)
    items = known(tmp_path_factory.mktemp("shop"), rows, kind)
    evaluated = evaluate_items(items, repeats=True)
    return rows, items, evaluated, answers(items, evaluated)


def test_shares_add_up_to_one_and_causes_are_within_their_share(served: Any) -> None:
    for answer in served[3].values():
        for item in answer.items:
            assert sum(part.share for part in item.contributions) == pytest.approx(1, abs=1e-5)
            for part in item.contributions:
                assert 0 < sum(cause.share for cause in part.causes) <= part.share + 1e-5


def test_every_path_exists_in_the_tables(served: Any) -> None:
    rows, items, _, found = served
    kinds: set[tuple[str, ...]] = set()
    for user, answer in found.items():
        assert len(answer.items) == min(LIMIT, len(rows[items.kind.name]))
        for item in answer.items:
            kinds.add(walk(rows, user, item, items.kind))
    assert (items.kind.words.label,) in kinds, "the user without a trace"
    assert len(kinds) > 2


def test_what_causes_and_paths_name_by_id_they_name_as_people_do(served: Any) -> None:
    rows, _, _, found = served
    names = {
        "product": {row["product_id"]: row["name"] for row in rows["products"]},
        "campaign": {row["campaign_id"]: row["campaign_id"] for row in rows["campaigns"]},  # without names
    }
    told: set[str] = set()
    for item in (item for answer in found.values() for item in answer.items):
        causes = [(cause.kind, cause) for part in item.contributions for cause in part.causes]
        for kind, one in [*causes, *((step.label.lower(), step) for step in item.path)]:
            assert one.name == names[kind][one.id] if kind in names else one.name in (None, one.id)
            told.add(kind)
    assert {"user", "interest"} <= told
    assert told & names.keys()


def test_campaigns_behind_products_are_called_by_name(tmp_path: Path) -> None:
    rows = shop()
    for campaign in rows["campaigns"]:
        campaign["name"] = f"Push of {campaign['category']}"
    items = known(tmp_path, rows)
    said = {
        (cause.id, cause.name, item.reason)
        for answer in answers(items, evaluate_items(items, repeats=True)).values()
        for item in answer.items
        for part in item.contributions
        for cause in part.causes
        if cause.kind == "campaign"
    }
    assert {(identity, name) for identity, name, _ in said} <= {
        (row["campaign_id"], row["name"]) for row in rows["campaigns"]
    }
    assert any(f"campaign {name}, which promotes" in reason for _, name, reason in said)


def walk(rows: Rows, user: str, item: Any, kind: ItemKind) -> tuple[str, ...]:
    """Follow the path over the tables; fails at the first step that they do not hold."""
    category = {row["product_id"]: row["category"] for row in rows["products"]}
    promoted = {row["campaign_id"]: row["category"] for row in rows["campaigns"]}
    purchases = {(row["user_id"], row["product_id"]) for row in rows["purchases"]}
    interests = {(row["user_id"], row["interest"]) for row in rows["interests"]}
    parts = {
        (row["user_id"], row["campaign_id"]) for row in [*rows["user_campaign_engagement"], *rows["events"]]
    }
    wrote = {row["user_id"] for row in rows["events"] if row["message"]}
    nodes, relations = item.path[::2], item.path[1::2]
    if len(nodes) > 1:
        assert (nodes[0].label, nodes[0].id) == ("User", user)
    assert (nodes[-1].label, nodes[-1].id) == (kind.words.label, getattr(item, kind.id_column))
    for start, relation, end in zip(nodes, relations, nodes[1:], strict=False):
        holds: Mapping[str, bool] = {
            "PURCHASED": (start.id, end.id) in purchases,
            "INTERESTED_IN": (start.id, end.id) in interests,
            "PARTICIPATED_IN": (start.id, end.id) in parts,
            "PROMOTES": end.id == promoted.get(start.id or "") or start.id == promoted.get(end.id or ""),
            "SENT": start.id in wrote,
            "NAMES": start.id == end.id,
            "BELONGS_TO": category.get(end.id or "") == start.id,
            "SIMILAR_TO": start.id != end.id,
            "GOES_WITH": start.id != end.id,
        }
        assert holds[relation.label], (start, relation, end)
    return tuple(step.label for step in item.path)


def test_a_user_without_a_trace_is_told_that_others_decide(served: Any) -> None:
    rows, items, _, found = served
    stranger = found[rows["users"][-1]["user_id"]]
    assert stranger.strategy in {"trending", "popular"}
    label = items.kind.words.label
    assert all(item.path[0].label == label and "most users" in item.reason for item in stranger.items)


@pytest.mark.parametrize("kind", [PRODUCTS, CAMPAIGNS], ids=lambda kind: kind.name)
def test_the_same_tables_give_the_same_bytes(tmp_path: Path, kind: ItemKind) -> None:
    documents = []
    for folder in ("once", "again"):
        products = known(tmp_path / folder, shop(), kind)
        evaluated = evaluate_items(products, repeats=True)
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
    rows["events"].append(did(spy, "c0", NOW - timedelta(days=3), "message", "I like camping"))
    leaky = known(tmp_path / "leaky", rows)
    row = int(np.flatnonzero(leaky.training.users == spy)[0])

    assert all(links.of_users[row].nnz == 1 for links in leaky.training.links.values()), "known by now"
    assert leaky.training.tastes is not None
    assert leaky.training.tastes[[row]].any(), "said by now"
    for before, after in zip(plain.held_out(seed=0)[:2], leaky.held_out(seed=0)[:2], strict=True):
        assert after.learn.strength[row].nnz == 0
        everyone = np.arange(len(leaky.training.users))
        wrote, wrote_before = after.learn.tastes, before.learn.tastes
        assert wrote is not None
        assert wrote_before is not None
        assert not wrote[[row]].any()
        assert (wrote[everyone] == wrote_before[everyone]).all()
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
    evaluated = evaluate_items(products, repeats=True)
    assert "at random" in evaluated.how
    assert evaluated.of_hybrid is not None
    assert 0 < evaluated.of_hybrid.ndcg <= 1


def test_weights_learned_from_a_handful_of_users_say_so(tmp_path: Path) -> None:
    evaluated = evaluate_items(known(tmp_path, shop(users=20)), repeats=True)
    assert "users, too few to tell families apart" in evaluated.how


def test_a_shop_without_a_sale_shows_what_speaks_for_it_or_its_catalogue(tmp_path: Path) -> None:
    rows = shop() | {"purchases": []}
    products = known(tmp_path, rows)
    evaluated = evaluate_items(products, repeats=True)
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
    found = answers(products, evaluate_items(products, repeats=True), rules)
    assert [answer.items for answer in found.values()] == [()] * len(rows["users"])


@pytest.mark.parametrize("bought_by", [["u00"], ["u00", "u00", "u00"], ["u00", "u01"]])
def test_hardly_any_sales_are_no_error(tmp_path: Path, bought_by: list[str]) -> None:
    sales = [bought(user, f"p{n:02}", NOW - timedelta(days=n)) for n, user in enumerate(bought_by)]
    products = known(tmp_path, shop() | {"purchases": sales})
    found = answers(products, evaluate_items(products, repeats=True))
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
    found = answers(products, evaluate_items(products, repeats=False), rules)
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
    later = recommend_items(products, hybrid, (), limit=LIMIT, shown=LIMIT, today=date(2030, 1, 1))
    assert read(later, products) == found


def campaigns_known(folder: Path, rows: Rows) -> Items:
    return known(folder, rows, CAMPAIGNS)


def of_campaigns(*rules: dict[str, Any]) -> Sequence[Rule]:
    return RuleBook.model_validate({"campaigns": list(rules)}).campaigns


def test_engagement_is_what_is_taken_and_impressions_are_what_was_shown(tmp_path: Path) -> None:
    rows = shop() | {"events": []}
    moment = NOW - timedelta(days=1)
    rows["events"] = [
        did("u00", "c0", moment, "impression"),
        did("u00", "c1", moment, "click"),
        did("u00", "c1", moment - timedelta(days=9), "view"),
        did("u01", "c1", moment, "click"),
        did("u01", "c1", moment + timedelta(hours=1), "unsubscribe"),
        did(None, "c2", moment, "click"),
    ]
    items = campaigns_known(tmp_path, rows)
    taken = items.training.strength
    assert taken.nnz == 1
    assert (items.training.users[0], taken[0].toarray().tolist()) == ("u00", [[0, 3.0, 0]])
    assert items.training.occurrences is not None
    assert sorted(items.training.occurrences.amount) == [1, 2]


def test_what_a_user_was_shown_often_lately_rests_for_that_user(tmp_path: Path) -> None:
    rows = shop()
    rows["events"] += [
        *(did("u03", "c0", NOW - timedelta(days=day), "impression") for day in (0, 1, 2)),
        *(did("u04", "c0", NOW - timedelta(days=day), "impression") for day in (0, 1, 9)),
    ]
    items = campaigns_known(tmp_path, rows)
    evaluated = evaluate_items(items, repeats=True)
    rules = of_campaigns({"rule": "frequency_cap", "name": "rest", "times": 3, "days": 7})
    warehouse, refs = stored(
        tmp_path / "told", {name: rows_of(name, rows.get(name, [])) for name in ("events", "feedback")}
    )

    def told(now: datetime) -> ToldByUsers:
        return told_by_users(
            lambda sql: warehouse.query(Select(sql, list(refs.values()))),
            "campaign",
            rules,
            users=items.training.users,
            items=items.training.items,
            now=now,
        )

    found = answers(items, evaluated, rules, told(NOW))
    shown = {user: [item.campaign_id for item in answer.items] for user, answer in found.items()}
    assert {user for user, campaigns in shown.items() if "c0" not in campaigns} == {"u03"}
    later = answers(items, evaluated, rules, told(NOW + timedelta(days=8)))
    assert "c0" in [item.campaign_id for item in later["u03"].items]


def test_rules_of_campaigns_are_applied_as_of_the_day_of_the_release(tmp_path: Path) -> None:
    rows = shop()
    rows["campaigns"][0]["ends_on"] = TODAY
    rows["campaigns"][1]["objective"] = "support"
    rows["users"][3]["marketing_consent"] = False
    rows["campaigns"].append({"campaign_id": "c9", "category": CATEGORIES[2], "objective": "retention"})
    items = campaigns_known(tmp_path, rows)
    rules = of_campaigns(
        {"rule": "exclude", "name": "over", "when": "ended_campaign"},
        {"rule": "exclude", "name": "said no", "when": "opted_out"},
        {"rule": "exclude", "name": "no help", "where": {"objective": "support"}},
        {"rule": "at_most", "name": "one each", "items": 1},
    )
    evaluated = evaluate_items(items, repeats=True)
    last_day, day_after = (
        answers(items, evaluated, rules, today=TODAY + timedelta(days=days)) for days in (0, 1)
    )
    assert last_day[rows["users"][3]["user_id"]].items == ()
    shown = [{item.campaign_id for item in answer.items} for answer in last_day.values() if answer.items]
    assert all("c0" in one and "c1" not in one and len(one) == 2 for one in shown)
    assert all("c0" not in {item.campaign_id for item in answer.items} for answer in day_after.values())


def test_what_a_user_writes_leads_to_the_campaign_that_says_the_same(tmp_path: Path) -> None:
    """Nothing is known of the user but a message with the very words of a campaign."""
    rows = shop()
    writer = rows["users"][-1]["user_id"]
    rows["events"].append(did(writer, "c2", NOW - timedelta(days=9), "message", ". Kitchen"))
    rows["events"].append(did(writer, "c2", NOW - timedelta(days=9), "unsubscribe"))
    rows["events"].append(did(writer, "c2", NOW - timedelta(days=9), "unsubscribe"))
    items = campaigns_known(tmp_path, rows)
    row = int(np.flatnonzero(items.training.users == writer)[0])
    assert items.training.strength[row].nnz == 0
    families = {"content": {"taste": 3.0}}
    weights = {segment: {"content": 1.0} for segment in SEGMENTS}
    document = {"families": families, "blend": {"scales": {"content": 1.0}, "weights": weights}}
    hybrid = hybrid_of(document, items.training)
    answer = read(recommend_items(items, hybrid, (), limit=1, shown=1, today=TODAY), items)[writer]
    assert answer.strategy == "hybrid"
    assert (answer.items[0].campaign_id, answer.items[0].already_participated) == ("c2", False)
    assert answer.items[0].reason == "Reads like what the user wrote."
    assert [cause.kind for cause in answer.items[0].contributions[0].causes] == ["messages"]


def test_a_message_is_a_cause_and_without_it_the_score_is_lower(tmp_path: Path) -> None:
    rows = shop()
    with_it = campaigns_known(tmp_path / "with", rows)
    without = campaigns_known(
        tmp_path / "without", rows | {"events": [row | {"message": None} for row in rows["events"]]}
    )
    family = FAMILIES["content"]()
    model, bare = family.fit(with_it.training), family.fit(without.training)
    everyone = np.arange(len(with_it.training.users))
    scores, lower = model.scores(everyone), bare.scores(everyone)
    users, items = np.nonzero(scores > 0)
    written = np.zeros(len(users))
    for found in model.evidence(users, items):
        if found.kind == "taste":
            np.add.at(written, found.pair, found.weight)
    assert written.any()
    told = written > 0
    assert (scores - lower)[users, items][told] == pytest.approx(written[told], abs=1e-4)


@pytest.mark.parametrize("kind", [PRODUCTS, CAMPAIGNS], ids=lambda kind: kind.name)
def test_tuning_compares_what_it_found_and_never_makes_the_hybrid_worse(
    tmp_path: Path, kind: ItemKind
) -> None:
    items = known(tmp_path, shop(), kind)
    found = tune_items(items, repeats=True, seconds=2)
    assert found.before is not None
    assert all(list(best) == sorted(best) and best for best in found.best.values()), "best so far"
    compared = {name: (before, after) for name, before, after in found.compared()}
    assert set(found.best) < set(compared)
    before, after = compared["hybrid"]
    assert found.parameters == (found.found if after >= before else {})
    judged = evaluate_items(items, repeats=True, tuned=found.found)
    assert judged.of_hybrid is not None
    assert judged.of_hybrid.ndcg == after
    for name, parameters in found.found.items():
        assert {key: judged.document()["families"][name][key] for key in parameters} == parameters


def test_parameters_of_families_that_are_gone_are_passed_over(tmp_path: Path) -> None:
    items = known(tmp_path, shop())
    plain = evaluate_items(items, repeats=True)
    tuned = {"phrenology": {"bumps": 3}, "ease": {"bumps": 3}}
    assert evaluate_items(items, repeats=True, tuned=tuned).document() == plain.document()
    nothing_sold = known(tmp_path / "none", shop() | {"purchases": []})
    assert tune_items(nothing_sold, repeats=True, seconds=1).found == {}


def test_many_users_are_judged_by_some_who_are_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = known(tmp_path, shop())
    everyone = evaluate_items(items, repeats=True)
    assert everyone.of_hybrid is not None
    monkeypatch.setattr(item_learning, "_MOST_JUDGED", everyone.of_hybrid.users // 2)
    some, again = (evaluate_items(items, repeats=True) for _ in range(2))
    assert some.of_hybrid is not None
    assert 0 < some.of_hybrid.users < everyone.of_hybrid.users
    assert f"judged by {some.of_hybrid.users} of {everyone.of_hybrid.users} users" in some.how
    assert some.document() == again.document()
    assert some.blend == everyone.blend, "weights are learned as before"


def test_names_and_ids_of_any_kind_are_written_as_they_are(tmp_path: Path) -> None:
    rows = shop()
    odd = ['"', "\\", "line\nend", "\x00", "\u2028", '","x":{', "\U0001f600", "Größe <b>&amp;"]
    for number, product in enumerate(rows["products"]):
        product["name"] = f"{odd[number % len(odd)]} {product['product_id']}"
    renamed = {
        user["user_id"]: f"{odd[n % len(odd)]}{user['user_id']}" for n, user in enumerate(rows["users"])
    }
    for row in (row for table in rows.values() for row in table if row.get("user_id")):
        row["user_id"] = renamed[row["user_id"]]
    items = known(tmp_path, rows)
    found = answers(items, evaluate_items(items, repeats=True))
    assert set(found) == set(renamed.values())
    names = {row["product_id"]: row["name"] for row in rows["products"]}
    for user, answer in found.items():
        assert all(item.name == names[item.product_id] for item in answer.items)
        for item in answer.items:
            assert item.path[0].id in (user, item.product_id)
            main = next((step for step in item.path[1:-1] if step.label == "Product"), None)
            assert main is None or (main.name is not None and main.name in item.reason)
