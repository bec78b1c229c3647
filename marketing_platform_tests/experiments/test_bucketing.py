"""The hash and what is made of it, held against the figures that GrowthBook publishes for its SDKs.

Figures: `cases.json` of GrowthBook's SDK specification 0.7.1 (repository growthbook/growthbook-python).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.experiments.bucketing import Range, bucket, chosen, in_namespace, ranges

HALVES = ((0.0, 0.5), (0.5, 1.0))
REDUCED = ((0.0, 0.25), (0.5, 0.75))


@pytest.mark.parametrize(
    ("seed", "user", "place"),
    [
        ("seed", "a", 0.0505),
        ("seed", "b", 0.2696),
        ("foo", "ab", 0.2575),
        ("foo", "def", 0.2019),
        ("89123klj", "8952klfjas09ujkasdf", 0.124),
        ("90850943850283058242805", "123", 0.7516),
        ("()**(%$##$%#$#", '___)((*":&', 0.0128),
        # Characters beyond ASCII count in units of UTF-16, as in JavaScript: growthbook 4.0.0 (PyPI).
        ("s", "ü-日本😀", 0.9829),
        ("seed", "naïve", 0.1066),
    ],
)
def test_hash_version_2(seed: str, user: str, place: float) -> None:
    assert bucket(seed, user) == place


@pytest.mark.parametrize(
    ("weights", "coverage", "expected"),
    [
        ((0.5, 0.5), 1, [(0, 0.5), (0.5, 1)]),
        ((0.5, 0.5), 0.5, [(0, 0.25), (0.5, 0.75)]),
        ((0.5, 0.5), 0, [(0, 0), (0.5, 0.5)]),
        ((0.25,) * 4, 1, [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]),
        ((0.4, 0.6), 1, [(0, 0.4), (0.4, 1)]),
        ((0.2, 0.3, 0.5), 1, [(0, 0.2), (0.2, 0.5), (0.5, 1)]),
        ((0.2, 0.3, 0.5), 0.2, [(0, 0.04), (0.2, 0.26), (0.5, 0.6)]),
    ],
)
def test_bucket_ranges(weights: tuple[float, ...], coverage: float, expected: list[Range]) -> None:
    found = ranges(weights, coverage)
    assert [end for part in found for end in part] == pytest.approx(
        [end for part in expected for end in part]
    )


@pytest.mark.parametrize(
    ("place", "among", "index"),
    [
        *[
            (0.2, HALVES, 0),
            (0.6, HALVES, 1),
            (0.4, HALVES, 0),
            (0.8, HALVES, 1),
            (0, HALVES, 0),
            (0.5, HALVES, 1),
        ],
        *[(0.2, REDUCED, 0), (0.4, REDUCED, None), (0.6, REDUCED, 1), (0.8, REDUCED, None)],
        *[(0.25, REDUCED, None), (0.5, REDUCED, 1)],
        (0.5, ((0, 0.5), (0.5, 0.5), (0.5, 1)), 2),
    ],
)
def test_choose_variation(place: float, among: tuple[Range, ...], index: int | None) -> None:
    assert chosen(place, among) == index


@pytest.mark.parametrize("namespace", ["namespace1", "namespace2"])
@pytest.mark.parametrize("user", ["1", "2", "3", "4"])
def test_in_namespace(user: str, namespace: str) -> None:
    first_part = (user, namespace) in {("3", "namespace2"), ("4", "namespace2")}
    assert in_namespace(user, namespace, (0, 0.4)) is first_part
    assert in_namespace(user, namespace, (0.4, 1)) is not first_part


@given(user=st.text(), seed=st.text(max_size=20))
def test_every_user_has_one_place(user: str, seed: str) -> None:
    place = bucket(seed, user)
    assert 0 <= place < 1
    assert place == bucket(seed, user)
    assert chosen(place, ranges((0.5, 0.3, 0.2), 1.0)) is not None


@given(user=st.text(min_size=1), small=st.floats(0, 1), large=st.floats(0, 1))
def test_a_coverage_that_grows_moves_nobody(user: str, small: float, large: float) -> None:
    small, large = sorted((small, large))
    before = chosen(bucket("s", user), ranges((0.2, 0.3, 0.5), small))
    after = chosen(bucket("s", user), ranges((0.2, 0.3, 0.5), large))
    assert before is None or before == after


@given(user=st.text(), cut=st.floats(0.01, 0.99))
def test_parts_of_a_namespace_share_nobody_and_leave_nobody_out(user: str, cut: float) -> None:
    assert in_namespace(user, "n", (0, cut)) != in_namespace(user, "n", (cut, 1))
