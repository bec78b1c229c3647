"""Metrics against cases counted by hand, and splits that lose and leak nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from marketing_platform.recommenders.evaluation.metrics import gini, later_of, quality
from marketing_platform.recommenders.evaluation.splits import folds, recent_split, repeat_split
from marketing_platform.recommenders.training import Training, training_of

DAY = 86_400
POPULARITY = np.array([4.0, 2, 1, 1, 0])


def test_two_users_counted_by_hand() -> None:
    best = np.array([[0, 1, 2], [3, 0, -1], [0, 1, 2]])
    later = later_of(np.array([0, 0, 1]), np.array([0, 2, 4]), (3, 5))  # user 2 took nothing
    found = quality(best, later, POPULARITY, k=3, users=4)
    assert found.users == 2
    assert found.precision == pytest.approx((2 / 3 + 0) / 2)
    assert found.recall == pytest.approx((1 + 0) / 2)
    assert found.hit_rate == pytest.approx(0.5)
    ideal = 1 + 1 / math.log2(3)
    assert found.ndcg == pytest.approx((1 + 1 / 2) / ideal / 2)
    assert found.map == pytest.approx((1 / 1 + 2 / 3) / 2 / 2)
    assert found.coverage == pytest.approx(4 / 5)
    shares = [1, 0.5, 0.25, 0.25, 1]  # of what was shown: items 0, 1, 2, 3, 0
    assert found.novelty == pytest.approx(sum(-math.log2(share) for share in shares) / 5)


def test_the_ideal_order_counts_every_later_item() -> None:
    later = later_of(np.zeros(4, int), np.arange(4), (1, 5))
    found = quality(np.array([[0]]), later, POPULARITY, k=1, users=4)
    assert found.ndcg == pytest.approx(1 / sum(1 / math.log2(place) for place in (2, 3, 4, 5)))
    assert (found.precision, found.recall, found.map) == (1, 0.25, 1)


def test_nobody_to_judge_by() -> None:
    found = quality(np.zeros((2, 3), int), sparse.csr_matrix((2, 5)), POPULARITY, k=3, users=4)
    assert (found.users, found.ndcg, found.coverage, found.novelty) == (0, 0, 0, 0)


@pytest.mark.parametrize(("amounts", "expected"), [([1, 1, 1], 0), ([0, 0, 3], 2 / 3), ([], 0), ([0, 0], 0)])
def test_gini(amounts: list[int], expected: float) -> None:
    assert gini(np.array(amounts, float)) == pytest.approx(expected)


pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60)


@settings(deadline=None)
@given(given_pairs=pairs, count=st.integers(2, 6), seed=st.integers(0, 5))
def test_folds_hold_out_each_pair_once_and_learn_the_rest(
    given_pairs: list[tuple[int, int]], count: int, seed: int
) -> None:
    training = _training(given_pairs)
    splits = folds(training, count=count, seed=seed)
    held_out = sum((split.later for split in splits[1:]), start=splits[0].later)
    assert (held_out != training.taken).nnz == 0
    for split in splits:
        assert (split.learn.taken + split.later != training.taken).nnz == 0
        per_user = np.diff(split.later.indptr)
        assert (np.abs(per_user - np.diff(training.taken.indptr) / count) < 1).all()


@settings(deadline=None)
@given(given_pairs=pairs, days=st.integers(0, 12))
def test_a_split_in_time_learns_nothing_from_later(given_pairs: list[tuple[int, int]], days: int) -> None:
    training = _training(given_pairs)
    split = recent_split(training, days=days)
    moments = np.arange(len(given_pairs))
    newest = moments.max()
    for row, user in enumerate(training.users):
        for column, item in enumerate(training.items):
            when = [
                moment
                for moment, (of_user, of_item) in enumerate(given_pairs)
                if (f"u{of_user}", f"i{of_item}") == (user, item)
            ]
            before = [moment for moment in when if newest - moment >= days]
            assert (split.learn.taken[row, column] > 0) == bool(before)
            assert (split.later[row, column] > 0) == (len(before) < len(when))
    assert split.learn.occurrences is not None
    assert (split.learn.occurrences.days_ago >= 0).all()


@pytest.mark.parametrize("seconds", [None, [0.0, 0.0, 0.0]], ids=["no times", "one moment"])
def test_without_two_moments_repeats_cannot_be_split_off(seconds: list[float] | None) -> None:
    assert repeat_split(training_of(["a", "a", "b"], ["x", "y", "x"], None, seconds)) is None


@settings(deadline=None)
@given(given_pairs=pairs)
def test_repeats_are_found_in_the_newest_fifth_of_the_time(given_pairs: list[tuple[int, int]]) -> None:
    training = _training(given_pairs)
    split = repeat_split(training)
    if split is None:
        assert len(set(given_pairs)) < 2 or len(given_pairs) < 2
        return
    days = min(28.0, 0.2 * (len(given_pairs) - 1))
    expected = recent_split(training, days=days)
    assert (split.later != expected.later).nnz == 0
    assert (split.learn.taken != expected.learn.taken).nnz == 0


def _training(given_pairs: list[tuple[int, int]]) -> Training:
    return training_of(
        [f"u{user}" for user, _ in given_pairs],
        [f"i{item}" for _, item in given_pairs],
        None,
        [float(moment * DAY) for moment in range(len(given_pairs))],
    )
