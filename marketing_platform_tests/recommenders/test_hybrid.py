"""A hybrid is the weighted sum of its families, is explained by them, and is never without an answer."""

from __future__ import annotations

import numpy as np
import pytest

from marketing_platform.recommenders.blending import learn_blend
from marketing_platform.recommenders.evaluation.splits import folds
from marketing_platform.recommenders.families import FAMILIES, Evidence
from marketing_platform.recommenders.families.evidence import NOWHERE
from marketing_platform.recommenders.hybrid import SEGMENTS, Blend, Hybrid
from marketing_platform.recommenders.reasons import reasons
from marketing_platform.recommenders.training import Training, training_of

FAMILY_NAMES = ("ease", "ials", "popular", "user_neighbours")


@pytest.fixture(scope="module")
def training() -> Training:
    """120 users of three tastes, 24 items each has most of; and one who took nothing."""
    generator = np.random.default_rng(1)
    tastes = np.arange(120) % 3
    likes = generator.random((120, 24)) < np.where(np.arange(24) % 3 == tastes[:, None], 0.6, 0.08)
    rows, columns = likes.nonzero()
    return training_of(
        [f"u{row:03}" for row in rows], [f"i{column:02}" for column in columns], all_users=["u999"]
    )


@pytest.fixture(scope="module")
def hybrid(training: Training) -> Hybrid:
    families = {name: FAMILIES[name]() for name in FAMILY_NAMES}
    parts = [
        ({name: family.fit(split.learn) for name, family in families.items()}, split)
        for split in folds(training, count=3, seed=0)
    ]
    blend = learn_blend(parts, seed=0)
    assert set(blend.weights) == set(SEGMENTS)
    assert all(sum(weights.values()) == pytest.approx(1) for weights in blend.weights.values())
    return Hybrid({name: family.fit(training) for name, family in families.items()}, blend, training)


def test_popularity_alone_is_given_no_say_where_tastes_differ(training: Training, hybrid: Hybrid) -> None:
    found = hybrid.shortlist(np.arange(120), k=3, leave_out=training.taken)
    shown = found.ranked.items
    own_taste = (shown % 3 == (np.arange(120) % 3)[:, None])[shown >= 0]
    assert own_taste.mean() > 0.6, "a third would be chance"


def test_shares_add_up_to_one_and_the_largest_comes_first(training: Training, hybrid: Hybrid) -> None:
    found = hybrid.shortlist(np.arange(5), k=3, leave_out=training.taken)
    rows, items = np.repeat(np.arange(5), 3), found.ranked.items.ravel()
    told = hybrid.reasons(rows, items)
    sources, causes, main = told.sources, told.causes, told.main
    assert main.pair.tolist() == list(range(15)), "something speaks for every one of them"
    assert main.item.tolist() == items.tolist()
    assert np.bincount(sources.pair, sources.share) == pytest.approx(np.ones(15))
    same_pair = sources.pair[1:] == sources.pair[:-1]
    assert (np.diff(sources.share)[same_pair] <= 0).all()
    of_cause = np.repeat(sources.pair, sources.named)
    for number, pair in enumerate(main.pair):
        named = np.flatnonzero(of_cause == pair)
        assert main.share[number] >= causes.share[named].max() - 1e-9
        is_main = (causes.kind[named] == main.kind[number]) & (causes.place[named] == main.place[number])
        assert is_main.any()


def test_the_main_cause_is_the_largest_over_all_families_and_what_is_like_it_is_counted() -> None:
    """Item 1 adds 3 in one family and 2 in another, item 2 adds 4: item 1 is first with 5 of 10."""
    pair, ones = np.array([0, 0]), np.array([1, 2])
    found = {
        "b": [Evidence("item", pair, ones, np.array([3.0, 4.0]))],
        "a": [
            Evidence("item", pair[:1], ones[:1], np.array([2.0])),
            Evidence("everyone", pair[:1], np.array([-1]), np.array([1.0])),
        ],
    }
    told = reasons(found, np.array([7, 7]))
    main, sources = told.main, told.sources
    assert main.pair.tolist() == [0], "nothing speaks for the other pair"
    assert (told.kinds[main.kind[0]], main.place[0], main.share[0]) == (("item", ""), 1, 0.5)
    assert (told.families[main.family[0]], main.alike[0], main.others[0], main.personal[0]) == (
        "b",
        2,
        1,
        True,
    )
    named = [
        (told.families[family], share) for family, share in zip(sources.family, sources.share, strict=True)
    ]
    assert named == [("b", 0.7), ("a", 0.3)]
    assert (sources.named.tolist(), told.causes.place.tolist()) == ([2, 2], [2, 1, 1, NOWHERE])


def test_a_user_of_whom_nothing_is_known_gets_what_is_popular_and_is_told(
    training: Training, hybrid: Hybrid
) -> None:
    stranger = int(np.flatnonzero(training.users == "u999")[0])
    found = hybrid.shortlist(np.array([stranger]), k=5, leave_out=training.taken)
    best = np.lexsort((np.arange(24), -training.popularity))[:5]
    assert found.ranked.items[0].tolist() == best.tolist()
    told = hybrid.reasons(np.array([stranger]), best[:1])
    assert {told.families[family] for family in told.sources.family} <= {"popular"}


def test_lists_are_full_while_there_is_anything_left() -> None:
    training = training_of(["a", "a", "b"], ["x", "y", "z"])
    models = {name: FAMILIES[name]().fit(training) for name in ("ease", "popular")}
    weights = {key: {"ease": 1.0, "popular": 0.0} for key in SEGMENTS}
    hybrid = Hybrid(models, Blend({"ease": 1.0, "popular": 1.0}, weights), training)
    found = hybrid.shortlist(np.array([0, 1]), k=3, leave_out=training.taken)
    assert found.ranked.items.tolist() == [[2, -1, -1], [0, 1, -1]]
    assert found.origin.tolist() == [[1, 0, 0], [1, 1, 0]]
