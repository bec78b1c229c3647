"""Each rule by itself, the order they are looked at in, and what holds whatever is offered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from marketing_platform.errors import InputError
from marketing_platform.recommenders.diversity import ItemSpace
from marketing_platform.recommenders.rules import (
    Candidates,
    Facts,
    Impressions,
    LiveFacts,
    Rule,
    RuleBook,
    Ruled,
    apply,
    leaving,
)

TODAY = date(2026, 6, 15)
ITEMS = np.array(["a", "b", "c", "d", "e", "f"], dtype=object)
CATEGORIES = ["tents", "tents", "tents", "boots", "boots", None]
ATTRIBUTES = {
    "category": np.array(CATEGORIES, dtype=object),
    "price": np.array([10, 20, 30, 40, 50, None], dtype=object),
    "in_stock": np.array([True, False, True, True, True, None], dtype=object),
    "ends_on": np.array([TODAY, date(2026, 6, 14), None, date(2027, 1, 1), None, None], dtype=object),
}


def _rules(*written: dict[str, Any]) -> tuple[Rule, ...]:
    named = [{"name": f"n{number}", **rule} for number, rule in enumerate(written)]
    return RuleBook.model_validate({"products": named}).products


def _facts(**known: Any) -> Facts:
    return Facts(today=TODAY, attributes=ATTRIBUTES, **known)


def _candidates(*scores: list[float], tiers: list[list[int]] | None = None) -> Candidates:
    """Each user's scores of the items from `a` on; 0 is not offered."""
    given = np.array(scores, dtype=np.float32)
    return Candidates(
        users=np.array([f"u{row}" for row in range(len(given))], dtype=object),
        items=ITEMS,
        places=np.where(given > 0, np.arange(given.shape[1]), -1),
        scores=given,
        tiers=np.zeros(given.shape, np.int8) if tiers is None else np.array(tiers),
        popular=np.arange(len(ITEMS))[::-1],
    )


def _pairs(*pairs: tuple[int, int], users: int = 1) -> Any:
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    return sparse.csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(users, len(ITEMS)))


def _list(ruled: Ruled, row: int = 0) -> str:
    return "".join(ITEMS[place] for place in ruled.items[row] if place >= 0)


ONE = _candidates([6, 5, 4, 3, 2, 1])


def test_without_rules_it_is_the_ranking_by_tier_score_and_id() -> None:
    ruled = apply((), _candidates([1, 5, 5, 9, 0, 2], tiers=[[0, 0, 0, 1, 0, 0]]), _facts(), limit=6)
    assert _list(ruled) == "bcfad"
    assert ruled.scores[0].tolist() == [5, 5, 2, 1, 9, 0]
    assert ruled.tiers[0].tolist() == [0, 0, 0, 0, 1, 0]
    assert (ruled.removed, ruled.notes, ruled.applied_to(0, 0)) == ({}, (), ())


@pytest.mark.parametrize(
    ("rule", "known", "expected", "removed"),
    [
        ({"when": "already_bought"}, {"taken": _pairs((0, 0), (0, 3))}, "bcef", 2),
        ({"when": "blocked_by_user"}, {"blocked": _pairs((0, 5))}, "abcde", 1),
        ({"when": "opted_out"}, {"opted_out": np.array([True])}, "", 6),
        ({"when": "opted_out"}, {"opted_out": np.array([False])}, "abcdef", 0),
        ({"when": "hidden"}, {"hidden": np.arange(6) == 2}, "abdef", 1),
        ({"when": "out_of_stock"}, {}, "acdef", 1),
        ({"when": "ended_campaign"}, {}, "acdef", 1),
        ({"where": {"category": "tents"}}, {}, "def", 3),
        ({"where": {"category": ["tents", "boots"]}}, {}, "f", 5),
        ({"where": {"category": {"not": "tents"}}}, {}, "abcf", 2),
        ({"where": {"price": {"at_least": 20, "at_most": 40}}}, {}, "aef", 3),
        ({"where": {"price": {"at_least": 20}, "category": "tents"}}, {}, "adef", 2),
        ({"where": {"ends_on": {"at_most": TODAY}}}, {}, "cdef", 2),
        ({"where": {"in_stock": True}}, {}, "bf", 4),
    ],
)
def test_exclude(rule: dict[str, Any], known: dict[str, Any], expected: str, removed: int) -> None:
    (declared,) = _rules({"rule": "exclude", **rule})
    ruled = apply([declared], ONE, _facts(**known), limit=6)
    assert _list(ruled) == expected
    assert ruled.removed == {declared.label: removed}


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        ({"rule": "exclude", "when": "already_bought"}, "`taken`"),
        ({"rule": "exclude", "when": "opted_out"}, "`opted_out`"),
        ({"rule": "exclude", "where": {"color": "red"}}, "'color'"),
        ({"rule": "frequency_cap", "times": 1, "days": 1}, "`shown`"),
        ({"rule": "at_most", "items": 1, "per": "brand"}, "'brand'"),
    ],
)
def test_what_a_rule_needs_and_nobody_knows_is_an_error(rule: dict[str, Any], needs: str) -> None:
    with pytest.raises(InputError, match=f"n0.*needs.*{needs}"):
        apply(_rules(rule), ONE, _facts(), limit=3)


def test_scores_that_cannot_be_multiplied_are_an_error() -> None:
    for wrong in (-1.0, float("nan"), float("inf")):
        bad = replace(ONE, scores=np.full((1, 6), wrong, np.float32))
        with pytest.raises(InputError, match="finite numbers of 0 or more"):
            apply((), bad, _facts(), limit=3)


def test_facts_of_other_users_are_an_error() -> None:
    rules = _rules({"rule": "exclude", "when": "already_bought"})
    with pytest.raises(InputError, match=r"\(2, 6\), users x items are \(1, 6\)"):
        apply(rules, ONE, _facts(taken=_pairs((0, 0), users=2)), limit=3)


def test_what_only_answers_know_is_left_to_them_and_said() -> None:
    rules = _rules({"rule": "exclude", "when": "hidden"}, {"rule": "exclude", "when": "blocked_by_user"})
    ruled = apply(rules, ONE, _facts(), limit=6)
    assert _list(ruled) == "abcdef"
    assert ruled.notes == tuple(f"exclude n{n}: looked at only when an answer leaves" for n in range(2))


def test_frequency_cap_counts_recent_impressions_only() -> None:
    shown = Impressions(
        rows=np.array([0, 0, 0, 0, 1, 1]),
        columns=np.array([0, 0, 1, 1, 2, 2]),
        days_ago=np.array([0, 7, 7.1, 0, 1, 2]),
    )
    both = _candidates([6, 5, 4], [6, 5, 4])
    ruled = apply(
        _rules({"rule": "frequency_cap", "times": 2, "days": 7}), both, _facts(shown=shown), limit=3
    )
    assert [_list(ruled, row) for row in range(2)] == ["bc", "ab"]
    assert list(ruled.removed.values()) == [2]


def test_minimum_score_is_for_what_the_recommender_scored_and_boosts_do_not_help() -> None:
    rules = _rules(
        {"rule": "minimum_score", "score": 4}, {"rule": "boost", "factor": 3, "where": {"category": "boots"}}
    )
    offered = _candidates([6, 5, 4, 3, 2, 1], tiers=[[0, 0, 0, 0, 0, 1]])
    ruled = apply(rules, offered, _facts(), limit=6)
    assert _list(ruled) == "abcf"
    assert ruled.removed == {"minimum score n0 4": 2}


def test_boosts_multiply_and_are_shown_with_the_item() -> None:
    rules = _rules(
        {"rule": "boost", "name": "boots", "factor": 2, "where": {"category": "boots"}},
        {"rule": "boost", "name": "dear", "factor": 1.5, "where": {"price": {"at_least": 50}}},
        {"rule": "boost", "name": "none", "factor": 9, "where": {"category": "kites"}},
    )
    ruled = apply(rules, ONE, _facts(), limit=6)
    assert _list(ruled) == "adebcf"  # a 6, d 3 x 2, e 2 x 2 x 1.5, b 5, …
    assert ruled.scores[0].tolist() == [6, 6, 6, 5, 4, 1]
    assert ruled.applied_to(0, 1) == ("boost boots x2",)
    assert ruled.applied_to(0, 2) == ("boost boots x2", "boost dear x1.5")
    assert ruled.notes == ("boost none x9: it means no item there is",)


def test_at_most_keeps_the_best_of_each_category_and_says_who_came_forward() -> None:
    (cap,) = _rules({"rule": "at_most", "items": 1})
    ruled = apply([cap], ONE, _facts(), limit=3)
    assert _list(ruled) == "adf"  # f has no category
    assert ruled.applied_to(0, 0) == ()
    assert ruled.applied_to(0, 1) == (cap.label,)
    assert ruled.removed == {cap.label: 2}  # b and c would have been among the first three


def test_two_caps_hold_at_once() -> None:
    rules = _rules({"rule": "at_most", "items": 2}, {"rule": "at_most", "items": 1, "per": "in_stock"})
    assert _list(apply(rules, ONE, _facts(), limit=6)) == "abf"


PIN = {"rule": "pin", "item": "e", "position": 2}


def test_a_pin_stands_at_its_place_offered_or_not() -> None:
    ruled = apply(_rules(PIN), _candidates([6, 5, 4, 3, 2], [6, 5, 4, 3, 0]), _facts(), limit=4)
    assert [_list(ruled, row) for row in range(2)] == ["aebc", "aebc"]
    assert ruled.scores[:, 1].tolist() == [2, 0]
    assert ruled.applied_to(0, 1) == ("pin n0 at 2",)
    assert ruled.applied_to(0, 0) == ()


def test_an_excluded_pin_is_not_shown_and_a_low_score_excludes_none() -> None:
    rules = _rules(PIN, {"rule": "exclude", "when": "already_bought"}, {"rule": "minimum_score", "score": 3})
    both = _candidates([6, 5, 4, 3, 2], [6, 5, 4, 3, 2])
    ruled = apply(rules, both, _facts(taken=_pairs((0, 4), users=2)), limit=4)
    assert [_list(ruled, row) for row in range(2)] == ["abcd", "aebc"]


def test_pins_are_the_last_of_a_short_list_in_their_order() -> None:
    pins = [{**PIN, "item": "f", "position": 6}, {**PIN, "item": "e", "position": 4}]
    assert _list(apply(_rules(*pins), _candidates([6, 5, 0, 0, 0, 0]), _facts(), limit=6)) == "abef"


def test_pins_count_for_a_cap_but_are_not_barred_by_it() -> None:
    rules = _rules({"rule": "at_most", "items": 1}, PIN, {**PIN, "item": "d", "position": 3})
    assert _list(apply(rules, ONE, _facts(), limit=6)) == "aedf"


def test_a_pin_is_counted_once() -> None:
    assert _list(apply(_rules({"rule": "at_most", "items": 2}, PIN), ONE, _facts(), limit=6)) == "aebdf"


def test_what_has_no_category_is_neither_capped_nor_alike() -> None:
    unknown = replace(_facts(), attributes={"category": np.full(6, None)})
    assert _list(apply(_rules({"rule": "at_most", "items": 1}), ONE, unknown, limit=6)) == "abcdef"
    assert _list(apply(_rules({"rule": "diversity", "lambda": 0.5}), ONE, unknown, limit=6)) == "abcdef"
    some = replace(_facts(), attributes={"category": np.array(["x", None, None, "x", None, None])})
    assert _list(apply(_rules({"rule": "diversity", "lambda": 0.5}), ONE, some, limit=6)) == "abcefd"


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"item": "zz"}, "there is no item 'zz'"),
        ({"position": 9}, "lists have only 3 places"),
        ({"until": date(2026, 6, 14)}, "it ended on 2026-06-14"),
    ],
)
def test_a_pin_that_can_do_nothing_says_why(changed: dict[str, Any], note: str) -> None:
    ruled = apply(_rules({**PIN, **changed}), ONE, _facts(), limit=3)
    assert _list(ruled) == "abc"
    assert len(ruled.notes) == 1
    assert note in ruled.notes[0]


def test_a_pin_stands_on_its_last_day() -> None:
    assert _list(apply(_rules({**PIN, "until": TODAY}), ONE, _facts(), limit=3)) == "aeb"


HOLDOUT = {"rule": "holdout", "share": 0.2, "salt": "s"}


def test_the_holdout_gets_the_popular_list_and_only_exclusions_change_it() -> None:
    users = np.array([f"user {number}" for number in range(2_000)], dtype=object)
    many = replace(
        ONE,
        users=users,
        **{key: np.repeat(getattr(ONE, key), 2_000, 0) for key in ("places", "scores", "tiers")},
    )
    rules = _rules(
        HOLDOUT,
        PIN,
        {"rule": "exclude", "when": "out_of_stock"},
        {"rule": "at_most", "items": 1},
        {"rule": "minimum_score", "score": 5},
        {"rule": "boost", "factor": 9, "where": {"category": "tents"}},
    )
    ruled = apply(rules, many, _facts(), limit=4)
    assert 0.17 < ruled.holdout.mean() < 0.23
    lists = {(bool(held), _list(ruled, row)) for row, held in enumerate(ruled.holdout)}
    assert lists == {(True, "fedc"), (False, "ae")}
    row = int(np.flatnonzero(ruled.holdout)[0])
    assert ruled.applied_to(row, 0) == ("holdout n0 0.2",)
    # The same users in whatever company, others with another salt, more of them with a larger share.
    some = apply(_rules(HOLDOUT), replace(many, **_rows(many, np.arange(0, 2_000, 7))), _facts(), limit=4)
    assert (some.holdout == ruled.holdout[::7]).all()
    resalted = apply(_rules({**HOLDOUT, "salt": "t"}), many, _facts(), limit=4).holdout
    assert 0.1 < (resalted & ruled.holdout).sum() / ruled.holdout.sum() < 0.3
    larger = apply(_rules({**HOLDOUT, "share": 0.3}), many, _facts(), limit=4).holdout
    assert (larger >= ruled.holdout).all()


def test_a_holdout_user_who_has_the_most_popular_gets_what_is_behind_it() -> None:
    items = np.array([f"{number:03}" for number in range(60)], dtype=object)
    offered = Candidates(
        users=np.array([f"u{row}" for row in range(40)], dtype=object),
        items=items,
        places=np.zeros((40, 1), np.int64),
        scores=np.ones((40, 1), np.float32),
        tiers=np.zeros((40, 1), np.int8),
        popular=np.arange(60),
    )
    taken = sparse.csr_matrix(np.tile(np.arange(60) < 50, (40, 1)).astype(float))
    rules = _rules({**HOLDOUT, "share": 0.5}, {"rule": "exclude", "when": "already_bought"})
    ruled = apply(rules, offered, Facts(TODAY, {}, taken=taken), limit=3)
    assert 5 < ruled.holdout.sum() < 35
    assert {tuple(row) for row in ruled.items[ruled.holdout]} == {(50, 51, 52)}
    assert {tuple(row) for row in ruled.items[~ruled.holdout]} == {(-1, -1, -1)}


def _rows(given: Candidates, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {key: getattr(given, key)[rows] for key in ("users", "places", "scores", "tiers")}


DIVERSE = {"rule": "diversity", "lambda": 0.5}


def test_diversity_prefers_what_is_not_there_yet() -> None:
    (mmr,) = rules = _rules(DIVERSE)
    ruled = apply(rules, ONE, _facts(), limit=4)
    # After a (tents): b .5 * 5/6 - .5 against d .5 * 3/6; then f, then the best of what is left.
    assert _list(ruled) == "adfb"
    assert ruled.applied_to(0, 0) == ()
    assert ruled.applied_to(0, 1) == (mmr.label,)


def test_diversity_by_features() -> None:
    features = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8], [1, 0], [0, 0]], np.float32)
    ruled = apply(_rules(DIVERSE), ONE, _facts(space=ItemSpace.by_meaning(features, asked=1)), limit=3)
    # After a: c .5 * 4/6 - 0; then f .5 * 1/6 - 0 beats b .5 * 5/6 - .5.
    assert _list(ruled) == "acf"


def test_similarities_made_beforehand_or_as_needed_are_the_same() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 8)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    places = np.stack([rng.permutation(50)[:20] for _ in range(30)])
    offered = Candidates(
        users=np.array([f"{row:03}" for row in range(30)], dtype=object),
        items=np.array([f"{row:03}" for row in range(50)], dtype=object),
        places=places,
        scores=rng.random((30, 20)).astype(np.float32),
        tiers=np.zeros((30, 20), np.int8),
        popular=np.arange(50),
    )
    beforehand, as_needed = (
        apply(_rules(DIVERSE), offered, Facts(TODAY, {}, space=space), limit=5)
        for space in (ItemSpace.by_meaning(features, asked=asked) for asked in (3_000, 100))  # 2,500 in all
    )
    assert (beforehand.items == as_needed.items).all()


def test_fallbacks_stay_behind_whatever_is_diverse() -> None:
    offered = _candidates([6, 5, 4, 99, 98, 97], tiers=[[0, 0, 0, 1, 1, 1]])
    assert _list(apply(_rules(DIVERSE), offered, _facts(), limit=6))[:3] == "abc"


LIVE = _rules(
    {"rule": "exclude", "name": "stock", "when": "out_of_stock"},
    {"rule": "exclude", "name": "hidden", "when": "hidden"},
    {"rule": "exclude", "name": "blocked", "when": "blocked_by_user"},
    {"rule": "exclude", "name": "consent", "when": "opted_out"},
    {"rule": "exclude", "name": "bought", "when": "already_bought"},
    {"rule": "exclude", "name": "tents", "where": {"category": "tents"}},
)


def test_what_was_hidden_a_minute_ago_does_not_leave() -> None:
    before = leaving(LIVE, "u", "abcd", LiveFacts(TODAY), limit=3)
    assert (before.kept, before.dropped) == ((0, 1, 2), {})
    now = LiveFacts(TODAY, out_of_stock=frozenset("a"), hidden=frozenset("ac"), blocked={"v": frozenset("b")})
    after = leaving(LIVE, "u", "abcd", now, limit=3)
    assert (after.kept, after.dropped) == ((1, 3), {"a": "exclude hidden", "c": "exclude hidden"})
    assert leaving(LIVE, "v", "abcd", now, limit=3).dropped["b"] == "exclude blocked"
    assert leaving(LIVE, "u", "abcd", replace(now, opted_out=frozenset("u")), limit=3).kept == ()


def test_a_campaign_is_served_until_its_last_day() -> None:
    rules = RuleBook.model_validate(
        {"campaigns": [{"rule": "exclude", "name": "over", "when": "ended_campaign"}]}
    ).campaigns
    ends = {"a": TODAY, "b": date(2026, 6, 14)}
    assert leaving(rules, "u", "abc", LiveFacts(TODAY, ends_on=ends), limit=3).kept == (0, 2)


def test_only_declared_rules_hold_something_back() -> None:
    now = LiveFacts(TODAY, out_of_stock=frozenset("a"), hidden=frozenset("b"), opted_out=frozenset("u"))
    assert leaving((), "u", "ab", now, limit=3).kept == (0, 1)


def test_nobody_nothing_and_no_places() -> None:
    everything = _rules(HOLDOUT, PIN, DIVERSE, {"rule": "at_most", "items": 1})
    nobody = replace(ONE, **_rows(ONE, np.zeros(0, int)))
    assert apply(everything, nobody, _facts(), limit=3).items.shape == (0, 3)
    no_candidates = replace(
        ONE, places=np.zeros((1, 0), int), scores=np.zeros((1, 0)), tiers=np.zeros((1, 0))
    )
    assert _list(apply(everything[1:], no_candidates, _facts(), limit=3)) == "e"
    assert _list(apply(everything[2:], no_candidates, _facts(), limit=3)) == ""
    nothing = replace(no_candidates, items=np.zeros(0, object), popular=np.zeros(0, int))
    no_items = Facts(TODAY, {"category": np.zeros(0, object)})
    assert apply(everything, nothing, no_items, limit=3).items.tolist() == [[-1, -1, -1]]


# What holds whatever is offered.
SCORES = st.lists(
    st.lists(st.sampled_from([0, 1, 2, 3, 5.5, 8]), min_size=6, max_size=6), min_size=1, max_size=4
)
PAIRS = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5)))
EXTRAS = st.lists(
    st.sampled_from(
        [
            {"rule": "boost", "name": "boots", "factor": 1.3, "where": {"category": "boots"}},
            {"rule": "boost", "name": "dear", "factor": 0.7, "where": {"price": {"at_least": 30}}},
            {"rule": "boost", "name": "cheap", "factor": 1.1, "where": {"price": {"at_most": 30}}},
            {"rule": "diversity", "name": "mmr", "lambda": 0.6},
            {"rule": "minimum_score", "name": "minimum", "score": 2},
            {"rule": "at_most", "name": "cap", "items": 1, "per": "in_stock"},
            {"rule": "exclude", "name": "stock", "when": "out_of_stock"},
        ]
    ),
    unique_by=lambda rule: rule["name"],
)
CAP = {"rule": "at_most", "name": "categories", "items": 2}
BOUGHT = {"rule": "exclude", "name": "bought", "when": "already_bought"}


def _offered(scores: list[list[float]], pairs: set[tuple[int, int]]) -> tuple[Candidates, Facts]:
    users = len(scores)
    return _candidates(*scores), _facts(taken=_pairs(*(p for p in pairs if p[0] < users), users=users))


@given(SCORES, PAIRS, EXTRAS, st.integers(1, 6), st.permutations(range(10)))
@settings(max_examples=150, deadline=None)
def test_exclusions_caps_and_pins_hold_together(
    scores: list[list[float]], pairs: set[tuple[int, int]], extras: list[Any], limit: int, order: list[int]
) -> None:
    candidates, facts = _offered(scores, pairs)
    pin = {**PIN, "name": "pin"}
    rules = _rules(BOUGHT, CAP, pin, *extras)
    ruled = apply(rules, candidates, facts, limit=limit)
    out_of_stock = any(rule.get("when") == "out_of_stock" for rule in extras)
    for row in range(len(scores)):
        found = _list(ruled, row)
        assert len(set(found)) == len(found)
        assert not {(row, int(np.flatnonzero(item == ITEMS)[0])) for item in found} & pairs
        assert not (out_of_stock and "b" in found)
        assert (
            max(
                Counter(CATEGORIES["abcdef".index(item)] for item in found if item != "f").values(), default=0
            )
            <= 2
        )
        if (row, 4) in pairs or limit < 2:
            assert ("e" in found) <= (limit < 2)
        else:
            assert found.index("e") == min(1, len(found) - 1)
    # In any order of the rules, the same lists, and the same rules are said to have had a part.
    shuffled = tuple(rules[place] for place in order if place < len(rules))
    again = apply(shuffled, candidates, facts, limit=limit)
    assert (again.items == ruled.items).all()
    assert (again.scores == ruled.scores).all()
    assert again.removed == ruled.removed
    for row, place in np.argwhere(ruled.items >= 0):
        assert set(again.applied_to(row, place)) == set(ruled.applied_to(row, place))


@given(SCORES, st.floats(1, 5), st.integers(0, 5))
def test_a_boost_lifts_what_it_means_and_keeps_the_order_of_the_others(
    scores: list[list[float]], factor: float, price: int
) -> None:
    candidates = _candidates(*scores)
    plain = apply((), candidates, _facts(), limit=6)
    boost = {"rule": "boost", "factor": factor, "where": {"price": 10 * (price + 1)}}
    boosted = apply(_rules(boost), candidates, _facts(), limit=6)
    item = "abcdef"[price]
    for row in range(len(scores)):
        before, after = _list(plain, row), _list(boosted, row)
        assert before.replace(item, "") == after.replace(item, "")
        if item in before and item != "f":
            assert after.index(item) <= before.index(item)


@given(SCORES, st.booleans())
def test_diversity_of_weight_1_is_the_ranking(scores: list[list[float]], by_features: bool) -> None:
    space = ItemSpace.by_meaning(np.eye(6, 3, dtype=np.float32), asked=100) if by_features else None
    candidates = _candidates(*scores)
    plain = apply((), candidates, _facts(), limit=6)
    diverse = apply(_rules({**DIVERSE, "lambda": 1}), candidates, _facts(space=space), limit=6)
    assert (plain.items == diverse.items).all()
    assert not diverse.applied.any()


@given(st.lists(st.text(), min_size=1, max_size=30, unique=True), st.floats(0.01, 0.99), st.text(min_size=1))
def test_who_is_held_out_depends_on_the_user_alone(users: list[str], share: float, salt: str) -> None:
    places = np.zeros((len(users), 1), int)
    offered = Candidates(np.array(users, dtype=object), ITEMS, places, places, places, np.arange(6))
    rules = _rules({**HOLDOUT, "share": share, "salt": salt})
    held = apply(rules, offered, _facts(), limit=1).holdout
    last = replace(offered, **_rows(offered, np.array([-1])))
    assert apply(rules, last, _facts(), limit=1).holdout[0] == held[-1]
