"""A hybrid is the weighted sum of its families, is explained by them, and is never without an answer."""

from __future__ import annotations

import numpy as np
import pytest

from marketing_platform.recommenders.blending import learn_blend
from marketing_platform.recommenders.evaluation.splits import folds
from marketing_platform.recommenders.families import FAMILIES
from marketing_platform.recommenders.hybrid import SEGMENTS, Blend, Hybrid
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
    for row, items in enumerate(found.ranked.items):
        for item in items:
            sources = hybrid.sources(row, int(item))
            assert sum(source.share for source in sources) == pytest.approx(1)
            assert [source.share for source in sources] == sorted((s.share for s in sources), reverse=True)
            causes = hybrid.causes(row, int(item))
            assert sum(c.weight for c in causes) == pytest.approx(
                sum(c.weight for source in sources for c in source.causes)
            )


def test_a_user_of_whom_nothing_is_known_gets_what_is_popular_and_is_told(
    training: Training, hybrid: Hybrid
) -> None:
    stranger = int(np.flatnonzero(training.users == "u999")[0])
    found = hybrid.shortlist(np.array([stranger]), k=5, leave_out=training.taken)
    best = np.lexsort((np.arange(24), -training.popularity))[:5]
    assert found.ranked.items[0].tolist() == best.tolist()
    personal_weight = hybrid.sources(stranger, int(best[0]))
    assert all(source.family == "popular" for source in personal_weight)


def test_lists_are_full_while_there_is_anything_left() -> None:
    training = training_of(["a", "a", "b"], ["x", "y", "z"])
    models = {name: FAMILIES[name]().fit(training) for name in ("ease", "popular")}
    weights = {key: {"ease": 1.0, "popular": 0.0} for key in SEGMENTS}
    hybrid = Hybrid(models, Blend({"ease": 1.0, "popular": 1.0}, weights), training)
    found = hybrid.shortlist(np.array([0, 1]), k=3, leave_out=training.taken)
    assert found.ranked.items.tolist() == [[2, -1, -1], [0, 1, -1]]
    assert found.origin.tolist() == [[1, 0, 0], [1, 1, 0]]
