"""A measured figure passes by a number, or by what the serving release had; chance alone holds nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.errors import ExpectationError
from marketing_platform.gates.measures import Measure, load_measures

SHARES = st.floats(0, 1)


def falling(most: float = 0.1) -> Measure:
    return Measure(
        asset="a", check="quality", figure="f", most_fall=most, mean_of="n", reason="r", description="d"
    )


def test_the_first_release_has_nothing_to_fall_from() -> None:
    assert falling().passed(None)
    assert falling().passed(0.0, values=1_000)


def test_what_was_measured_before_must_be_measured_again() -> None:
    assert not falling().passed(None, served=0.2)
    assert not falling().passed(math.nan, served=0.2, values=100)


@pytest.mark.parametrize(
    ("value", "values", "passes"),
    [
        (0.18, 10**9, True),  # a tenth
        (0.1799, 10**9, False),
        (0.17, 1_000, True),  # two standard errors are 0.024
        (0.14, 1_000, False),
        (0.1, 10, True),  # of ten users nobody can say
        (0.0, 10, False),  # but nothing at all was found
    ],
)
def test_a_fall_counts_from_the_share_that_is_declared_on_chance_apart(
    value: float, values: int, passes: bool
) -> None:
    assert falling().passed(value, served=0.2, values=values) is passes


@given(value=SHARES, served=SHARES, values=st.integers(1, 10**9), most=st.floats(0, 0.99))
def test_what_did_not_fall_passes_and_more_values_make_it_no_easier(
    value: float, served: float, values: int, most: float
) -> None:
    measure = falling(most)
    passed = measure.passed(value, served=served, values=values)
    assert passed or value < served
    assert passed or not measure.passed(value, served=served, values=values * 10)


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ("", "either at_least"),
        ("at_least: 1\n  most_fall: 0.1", "either at_least"),
        ("at_least: 1\n  mean_of: users", "mean_of belongs to most_fall"),
        ("most_fall: 1", "less than 1"),
    ],
)
def test_a_measure_that_cannot_be_meant_is_refused(tmp_path: Path, bounds: str, says: str) -> None:
    declared = f"- asset: a\n  check: c\n  figure: f\n  {bounds}\n  reason: r\n  description: d\n"
    (tmp_path / "measures.yaml").write_text(declared)
    with pytest.raises(ExpectationError, match=says):
        load_measures(tmp_path)
