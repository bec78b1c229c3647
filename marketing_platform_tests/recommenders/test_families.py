"""What every family of recommenders does. A new one is covered by its line in the registry."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from marketing_platform.errors import InputError
from marketing_platform.recommenders.evaluation.comparison import suitable
from marketing_platform.recommenders.families import FAMILIES, ials
from marketing_platform.recommenders.families.ease import Ease
from marketing_platform.recommenders.families.ials import IALS
from marketing_platform.recommenders.families.item_weights import ItemWeights
from marketing_platform.recommenders.families.limits import LIMITS
from marketing_platform.recommenders.families.slim import Slim
from marketing_platform.recommenders.ranking import best_items
from marketing_platform.recommenders.training import Links, Training, training_of

DAY = 86_400
PERSONAL = sorted(FAMILIES.keys() - {"popular", "trending"})


def described(training: Training) -> Training:
    """With everything a family may need: items 0, 2, 4 … and 1, 3, 5 … are of one kind each."""
    kinds = np.arange(len(training.items)) % 2
    features = np.zeros((len(training.items), 3), np.float32)
    features[np.arange(len(kinds)), kinds] = 1
    of_users = (training.taken @ sparse.csr_matrix(features[:, :2])).tocsr()
    links = Links(("even", "odd"), of_users, sparse.csr_matrix(features[:, :2].T))
    return replace(training, features=features, categories=kinds, links={"kind": links})


def two_tastes() -> Training:
    """Users 0-9 take even items, users 10-19 odd ones; user 0 has not taken item 4, nor user 10 item 5."""
    pairs = [
        (f"u{user:02}", f"i{item:02}")
        for user in range(20)
        for item in range(user // 10, 12, 2)
        if (user, item) not in {(0, 4), (10, 5)}
    ]
    seconds = [number * DAY / 10 for number, _ in enumerate(pairs)]
    return described(training_of(*zip(*pairs, strict=True), None, seconds))


@st.composite
def trainings(draw: st.DrawFn) -> Training:
    pairs = draw(
        st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9), st.integers(-1, 3)), min_size=0, max_size=40)
    )
    users, items = [f"u{user}" for user, _, _ in pairs], [f"i{item}" for _, item, _ in pairs]
    seconds = [float(DAY * (number % 7)) for number in range(len(pairs))]
    values = [float(value) for _, _, value in pairs]
    everyone = {"all_users": ["u0", "stranger"], "all_items": ["i0", "unsold"]}
    return described(training_of(users, items, values, seconds, **everyone))


def scores(model: Any, training: Training) -> np.ndarray:
    found = model.scores(np.arange(len(training.users)))
    return np.asarray(found.toarray() if sparse.issparse(found) else found)


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"popular", "trending", "repeat", "discovery"}))
def test_users_of_one_taste_get_what_the_others_of_it_took(name: str) -> None:
    training = two_tastes()
    model = FAMILIES[name]().fit(training)
    best = best_items(model.scores, np.array([0, 10]), items=12, k=1, leave_out=training.taken)
    assert [training.items[item] for item in best.items[:, 0]] == ["i04", "i05"]


def test_repeat_knows_habits_and_discovery_what_is_new() -> None:
    rows = [("a", "tea", "t"), ("a", "mug", "m"), ("b", "tea", "t"), ("b", "mug", "m"), ("c", "tea", "t")]
    users, items, _ = zip(*[*rows, ("a", "tea", "t")], strict=True)
    training = training_of(users, items, None, [0.0, 0, 0, 0, 0, 10 * DAY])
    repeat = scores(FAMILIES["repeat"]().fit(training), training)
    assert repeat[0].tolist()[1] > repeat[0].tolist()[0] > 0
    assert repeat[2].tolist()[0] == 0
    discovery = FAMILIES["discovery"]().fit(replace(training, categories=np.array([0, 1])))
    assert scores(discovery, training).round(6).tolist()[0] == [0, 0], "a has something of both"
    assert scores(discovery, training)[2, 0] > 0, "c has no mug"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAMILIES))
@settings(max_examples=25, deadline=None)
@given(training=trainings())
def test_scores_are_finite_and_the_same_alone_and_together(name: str, training: Training) -> None:
    model = FAMILIES[name]().fit(training)
    together = scores(model, training)
    assert together.shape == (len(training.users), len(training.items))
    assert np.isfinite(together).all()
    for row in range(len(training.users)):
        alone = model.scores(np.array([row]))
        alone = np.asarray(alone.toarray() if sparse.issparse(alone) else alone)
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-4, atol=1e-6)
    again = scores(FAMILIES[name]().fit(training), training)
    np.testing.assert_allclose(again, together, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PERSONAL)
@settings(max_examples=25, deadline=None)
@given(training=trainings(), data=st.data())
def test_without_the_named_cause_the_score_falls_by_its_weight(
    name: str, training: Training, data: st.DataObject
) -> None:
    model = FAMILIES[name]().fit(training)
    row = data.draw(st.integers(0, len(training.users) - 1))
    item = data.draw(st.integers(0, len(training.items) - 1))
    before = scores(model, training)[row, item]
    for cause in causes_of(model, row, item):
        assert cause.weight > 0
        after = scores(without(model, row, item, cause), training)[row, item]
        assert after == pytest.approx(before - cause.weight, rel=1e-3, abs=1e-5)


class Cause(NamedTuple):
    kind: str
    place: int
    weight: float
    of: str


def causes_of(model: Any, row: int, item: int) -> list[Cause]:
    """Of a pair, asked for between two others that must not matter."""
    found = model.evidence(np.array([0, row, 0]), np.array([item, item, 0]))
    return [
        Cause(one.kind, int(place), float(weight), one.of)
        for one in found
        for pair, place, weight in zip(one.pair, one.place, one.weight, strict=True)
        if pair == 1
    ]


def without(model: Any, row: int, item: int, cause: Cause) -> Any:
    """The model as it would answer had that one thing not happened; what it learned stays."""
    changed = copy.deepcopy(model)
    inner = getattr(changed, "_found", changed)
    matrix, at = {
        "item": lambda: (getattr(inner, "_history", None), (row, cause.place)),
        "user": lambda: (inner._taken, (cause.place, item)),
        "node": lambda: (inner._steps[cause.of][0], (row, cause.place)),
        "taste": lambda: (inner._tastes, row),
    }[cause.kind]()
    if matrix is None:
        matrix = inner._taken
    if cause.kind == "taste":
        matrix[at] = 0
    else:
        matrix[at] = 0
        matrix.eliminate_zeros()
    return changed


@pytest.mark.parametrize("name", ["item_neighbours", "user_neighbours", "rp3beta", "ease", "slim", "paths"])
def test_causes_add_up_to_the_score(name: str) -> None:
    training = two_tastes()
    model = FAMILIES[name]().fit(training)
    causes = causes_of(model, 0, 4)
    assert sum(cause.weight for cause in causes) >= scores(model, training)[0, 4] - 1e-5


def test_the_sparse_form_of_ease_ranks_like_the_dense_one() -> None:
    generator = np.random.default_rng(3)
    dense = generator.random((200, 30)) < np.linspace(0.5, 0.05, 30)
    rows, columns = dense.nonzero()
    training = training_of([f"u{row:03}" for row in rows], [f"i{column:02}" for column in columns])
    all_neighbours = Ease(dense_items=0, neighbours=30).fit(training)
    np.testing.assert_allclose(
        scores(all_neighbours, training), scores(Ease().fit(training), training), atol=0.02
    )


def test_the_sparse_form_of_ease_solves_each_item_among_those_near_it() -> None:
    """By the definition: the ridge regression of an item on the items that were given a weight."""
    training = two_tastes()
    together = (training.taken.T @ training.taken).toarray()
    model = Ease(penalty=20, dense_items=0, neighbours=3).fit(training)
    asked = sparse.eye_array(12, format="csr", dtype=np.float32)
    weights = ItemWeights(asked, model._weights).scores(np.arange(12)).toarray()
    for item in range(12):
        near = np.flatnonzero(weights[:, item])
        assert len(near) == 3
        expected = np.linalg.solve(together[np.ix_(near, near)] + 20 * np.eye(3), together[near, item])
        np.testing.assert_allclose(weights[near, item], expected, rtol=1e-4)


def test_slim_refuses_more_items_than_fit() -> None:
    items = [f"i{number:05}" for number in range(LIMITS["slim"].most + 1)]
    with pytest.raises(InputError, match="EASE has a sparse form"):
        Slim().fit(training_of(["u"] * len(items), items))


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_above_its_limit_a_family_is_left_out_and_says_why(name: str) -> None:
    limit = LIMITS[name]
    for size in (limit.most, limit.most + 1):
        many, few = [f"x{number:05}" for number in range(size)], [f"y{n % 100}" for n in range(size)]
        training = training_of(many, few) if limit.of == "users" else training_of(few, many)
        offered, left_out = suitable(training)
        assert (name in offered) == (size == limit.most)
        assert (f"not {size:,}" in left_out.get(name, "")) == (size > limit.most)


def test_all_pairs_of_users_are_not_compared_where_items_are_few() -> None:
    most = LIMITS["user_neighbours"].per_item
    assert most is not None
    for users in (2 * most, 2 * most + 1):
        training = training_of([f"u{n}" for n in range(users)], ["x", "y"] * most + ["x"] * (users % 2))
        offered, left_out = suitable(training)
        assert ("user_neighbours" in offered) == (users == 2 * most)
        assert ("users per item" in left_out.get("user_neighbours", "")) == (users > 2 * most)


def test_vectors_of_items_are_learned_from_no_more_users_than_teach_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two tastes, five items each: users drawn evenly tell them apart for everybody."""
    likes = np.random.default_rng(3).random((400, 10)) < np.where(
        np.arange(10) % 2 == (np.arange(400) % 2)[:, None], 0.7, 0.1
    )
    rows, columns = likes.nonzero()
    training = training_of([f"u{row:03}" for row in rows], [f"i{column}" for column in columns])
    monkeypatch.setattr(ials, "_USERS_PER_ITEM", 13)
    scores = IALS(factors=4).fit(training).scores(np.arange(len(training.users)))
    own = scores[training.taken.toarray() > 0]
    assert scores.shape == training.taken.shape
    assert own.mean() > 2 * scores[training.taken.toarray() == 0].mean()


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_parameters_that_tuning_tries_are_parameters(name: str) -> None:
    family = FAMILIES[name]()
    for parameter, span in family.spans.items():
        assert span.low <= getattr(family, parameter) <= span.high
