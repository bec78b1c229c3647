"""What an interval that holds at every look promises, tried on data of which the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln

from marketing_platform.experiments.judging import sample_ratio_p
from marketing_platform.experiments.sequential import (
    Counts,
    evidence,
    interval,
    p_value,
    surely_above,
    surely_below,
)

ALPHA = 0.05
counts = st.builds(Counts, st.integers(0, 5_000), st.integers(0, 5_000))
splits = st.floats(0.05, 0.95)


def paths(share: float, *, runs: int, steps: int, seed: int) -> np.ndarray:
    """How many of the first n users who did it are of the arm; shape (runs, steps)."""
    return np.cumsum(np.random.default_rng(seed).random((runs, steps)) < share, axis=1)


def evidence_at_every_step(of_arm: np.ndarray, split: float, ratio: float = 1.0) -> np.ndarray:
    """The same martingale for whole arrays, written down once more."""
    steps = np.arange(1, of_arm.shape[1] + 1)
    ours, theirs = 50 * split, 50 * (1 - split)
    odds = ratio * split / (1 - split)
    share = odds / (1 + odds)
    mixed = betaln(ours + of_arm, theirs + steps - of_arm) - betaln(ours, theirs)
    return mixed - of_arm * math.log(share) - (steps - of_arm) * math.log1p(-share)


@pytest.mark.parametrize("split", [0.5, 0.2])
def test_arms_that_do_not_differ_are_told_apart_in_at_most_alpha_of_cases(split: float) -> None:
    """A/A: whoever looks after every single user, and stops at the first surprise, is wrong that often."""
    of_arm = paths(split, runs=4_000, steps=2_000, seed=1)
    alarmed = (evidence_at_every_step(of_arm, split) > math.log(1 / ALPHA)).any(axis=1)
    assert 0.005 < alarmed.mean() <= ALPHA


def test_a_fixed_test_that_is_looked_at_again_and_again_is_not_so() -> None:
    """What the above guards against: the same looks with a test that is made for one."""
    of_arm = paths(0.5, runs=1_000, steps=2_000, seed=1)
    steps = np.arange(1, 2_001)
    z = np.abs(of_arm - steps / 2) / np.sqrt(steps / 4)
    assert (z[:, 20:] > 1.96).any(axis=1).mean() > 0.3


@pytest.mark.parametrize(("rate", "ratio", "split"), [(0.05, 1.3, 0.5), (0.2, 0.8, 0.5), (0.4, 1.2, 0.3)])
def test_intervals_hold_the_true_ratio_at_all_looks_together(rate: float, ratio: float, split: float) -> None:
    """Users come, are drawn into arms, and do it or not; only who did it is counted."""
    rng = np.random.default_rng(2)
    runs, users = 1_000, 6_000
    in_arm = rng.random((runs, users)) < split
    did = rng.random((runs, users)) < np.where(in_arm, rate * ratio, rate)
    of_arm, of_control = np.cumsum(did & in_arm, axis=1), np.cumsum(did & ~in_arm, axis=1)
    looks = np.linspace(10, users - 1, 100).astype(int)
    missed = np.zeros(runs, bool)
    for look in looks:
        arm, control = of_arm[:, look], of_control[:, look]
        odds = ratio * split / (1 - split)
        share = odds / (1 + odds)
        mixed = betaln(50 * split + arm, 50 * (1 - split) + control) - betaln(50 * split, 50 * (1 - split))
        missed |= mixed - arm * np.log(share) - control * np.log1p(-share) > math.log(1 / ALPHA)
    assert missed.mean() <= ALPHA
    for run in range(5):  # the interval itself says the same
        of = Counts(int(of_arm[run, -1]), int(of_control[run, -1]))
        found = interval(of, split=split, alpha=ALPHA)
        inside = evidence(of, split=split, ratio=ratio) <= math.log(1 / ALPHA)
        assert (found.low <= ratio <= found.high) is inside


def test_a_difference_that_is_there_is_found() -> None:
    of_arm = paths(0.55, runs=500, steps=4_000, seed=3)
    found = (evidence_at_every_step(of_arm, 0.5) > math.log(1 / ALPHA)).any(axis=1)
    assert found.mean() > 0.95


@given(of=counts, split=splits, ratio=st.floats(0.2, 5))
def test_evidence_is_that_of_the_mixture(of: Counts, split: float, ratio: float) -> None:
    """Against the martingale of whole paths above, at their end."""
    path = np.array([[*range(1, of.arm + 1), *[of.arm] * of.control]]) if sum(of) else np.zeros((1, 0), int)
    expected = evidence_at_every_step(path, split, ratio)[0, -1] if sum(of) else 0.0
    assert evidence(of, split=split, ratio=ratio) == pytest.approx(expected, abs=1e-6)


@given(of=st.builds(Counts, st.integers(0, 30), st.integers(0, 30)), split=splits)
def test_the_mixture_is_a_mean_over_shares(of: Counts, split: float) -> None:
    """By numerical integration over the prior."""
    a, b = 50 * split, 50 * (1 - split)

    def likelihood(share: float) -> float:
        logs = (a + of.arm - 1) * math.log(share) + (b + of.control - 1) * math.log1p(-share)
        known = of.arm * math.log(split) + of.control * math.log1p(-split)
        return math.exp(logs - betaln(a, b) - known)

    mean, _ = quad(likelihood, 0, 1, points=[split], limit=200)
    assert math.exp(evidence(of, split=split)) == pytest.approx(mean, rel=1e-4)


@given(of=counts, split=splits, alpha=st.floats(0.001, 0.2))
def test_intervals_hold_what_was_observed_and_narrow_with_alpha(
    of: Counts, split: float, alpha: float
) -> None:
    found = interval(of, split=split, alpha=alpha)
    wider = interval(of, split=split, alpha=alpha / 10)
    assert wider.low <= found.low <= found.high <= wider.high
    if of.control:
        observed = of.arm / of.control * (1 - split) / split
        assert found.low <= observed <= found.high
    for ratio in (0.5, 1.0, 2.0):
        assert surely_above(of, ratio, split=split, alpha=alpha) == (found.low > ratio)
        assert surely_below(of, ratio, split=split, alpha=alpha) == (found.high < ratio)


@given(of=counts)
def test_arms_can_be_swapped(of: Counts) -> None:
    found = interval(of, split=0.3, alpha=ALPHA)
    other = interval(Counts(of.control, of.arm), split=0.7, alpha=ALPHA)
    assert other.low == pytest.approx(0 if math.isinf(found.high) else 1 / found.high, rel=1e-4)
    assert other.high == pytest.approx(math.inf if not found.low else 1 / found.low, rel=1e-4)


def test_nothing_is_known_of_nobody() -> None:
    assert interval(Counts(0, 0), split=0.5, alpha=ALPHA) == (0, math.inf)
    assert p_value(evidence(Counts(0, 0), split=0.5)) == 1


def test_sizes_of_arms_are_held_against_their_weights() -> None:
    """52 : 48 of 10,000 is beyond chance; 50.5 : 49.5 is not."""
    assert sample_ratio_p([5_200, 4_800], [0.5, 0.5]) < 0.001  # pyright: ignore[reportOptionalOperand]
    assert sample_ratio_p([5_050, 4_950], [0.5, 0.5]) > 0.1  # pyright: ignore[reportOptionalOperand]
    assert sample_ratio_p([2_500, 7_500], [0.25, 0.75]) == 1
    assert sample_ratio_p([0, 0], [0.5, 0.5]) is None
