"""How long a run may yet take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.defs.progress import Before, Estimate

STEPS = ("load", "embed", "relate", "release")
TOOK = {"load": 10.0, "embed": 60.0, "relate": 20.0, "release": 10.0}


def test_nothing_is_guessed_before_the_first_step_of_a_first_run_ended() -> None:
    estimate = Estimate(STEPS, None)
    assert estimate.left("load") == (None, 0.0)
    assert not estimate.measured


def test_a_first_run_counts_steps() -> None:
    estimate = Estimate(STEPS, None)
    estimate.ended("load", 4.0)
    assert estimate.left("embed") == (12.0, 8.0)
    assert estimate.left(None) == (12.0, 12.0)


def test_a_later_run_is_told_by_the_one_before() -> None:
    estimate = Estimate(STEPS, Before(TOOK))
    assert estimate.measured
    assert estimate.left("load") == (100.0, 90.0)
    estimate.ended("load", 10.0)
    assert estimate.left("embed") == (90.0, 30.0)


def test_twice_the_rows_take_twice_as_long() -> None:
    assert Estimate(STEPS, Before(TOOK, more=2.0)).left("load") == (200.0, 180.0)


def test_a_run_that_keeps_most_is_soon_expected_to_end_early() -> None:
    estimate = Estimate(STEPS, Before(TOOK))
    for step in ("load", "embed"):
        estimate.ended(step, 0.1)
    left, _ = estimate.left("relate")
    assert left is not None
    assert left < 5  # of the 30 seconds that it took before


def test_a_step_that_is_new_counts_as_the_others_do() -> None:
    assert Estimate((*STEPS, "new"), Before(TOOK)).left(None) == (125.0, 125.0)


@given(
    before=st.dictionaries(st.sampled_from(STEPS), st.floats(0, 1e5), min_size=1),
    spent=st.lists(st.floats(0, 1e5), max_size=len(STEPS)),
    more=st.floats(0.01, 100),
)
def test_time_left_is_never_negative_and_nothing_at_the_end(
    before: dict[str, float], spent: list[float], more: float
) -> None:
    estimate = Estimate(STEPS, Before(before, more=more))
    for step, seconds in zip(STEPS, spent, strict=False):
        left, after = estimate.left(step)
        assert left is not None
        assert 0 <= after <= left * (1 + 1e-9)
        estimate.ended(step, seconds)
    left, _ = estimate.left(None)
    assert left is not None
    assert left >= 0
    if len(spent) == len(STEPS):
        assert left == 0
