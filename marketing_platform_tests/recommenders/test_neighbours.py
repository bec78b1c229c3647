"""Who is similar, against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from marketing_platform.recommenders import neighbour_lists
from marketing_platform.recommenders.neighbours import (
    Nearest,
    compared,
    nearest,
    user_vectors,
    user_vectors_of,
)

# Few small whole numbers: ties, duplicates and zero rows are common, rounding is not.
small_vectors = st.integers(1, 30).flatmap(
    lambda rows: arrays(np.float32, (rows, 3), elements=st.integers(-2, 2).map(float))
)


def by_definition(vectors: np.ndarray, row: int, k: int) -> list[tuple[int, float]]:
    norms = np.linalg.norm(vectors, axis=1)
    scored = [
        (-round(float(vectors[row] @ vectors[other] / (norms[row] * norms[other])), 6) + 0.0, other)
        for other in range(len(vectors))
        if other != row and norms[other] > 0
    ]
    return [(other, -score) for score, other in sorted(scored)[:k]]


def is_the_definition(found: Nearest, vectors: np.ndarray, k: int) -> None:
    norms = np.linalg.norm(vectors, axis=1)
    for row in range(len(vectors)):
        if norms[row] == 0:
            assert (found.indices[row] == -1).all()
            continue
        expected = by_definition(vectors.astype(np.float64), row, k)
        np.testing.assert_allclose(found.scores[row], [score for _, score in expected], atol=2e-6)
        assert len(set(found.indices[row].tolist())) == len(expected)
        assert row not in found.indices[row]
        assert not (norms[found.indices[row]] == 0).any()


@settings(max_examples=80, deadline=None)
@given(small_vectors, st.integers(1, 40))
def test_nearest_is_the_definition(vectors: np.ndarray, k: int) -> None:
    found = nearest(vectors.astype(np.float64), k=k)
    is_the_definition(found, vectors, k)
    assert (found.recall, found.how) == (1.0, "exact by design: every pair is compared")


@settings(max_examples=40, deadline=None)
@given(small_vectors, st.integers(1, 40))
def test_a_few_lists_are_all_probed_and_miss_nothing(vectors: np.ndarray, k: int) -> None:
    found = nearest(vectors.astype(np.float64), k=k, exact_up_to=0)
    is_the_definition(found, vectors, k)
    assert found.recall == 1.0


def grouped(users: int, dim: int = 24) -> np.ndarray:
    """Vectors around some hundred centres, as users who write about the same are."""
    random = np.random.default_rng(3)
    centres = random.standard_normal((users // 150, dim))
    drawn = centres[random.integers(0, len(centres), users)] + 0.8 * random.standard_normal((users, dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_many_find_nearly_all_that_comparing_everybody_finds() -> None:
    vectors = grouped(12_000)
    found = nearest(vectors, k=10, exact_up_to=len(vectors) - 1)
    exact = nearest(vectors, k=10, exact_up_to=len(vectors))
    same = (found.indices[:, :, None] == exact.indices[:, None, :]).any(axis=2).mean()
    assert 0.95 <= same < 1
    assert found.recall == pytest.approx(same, abs=0.02)
    assert "against comparing them with everybody" in found.how
    cosines = np.einsum("nd,nkd->nk", vectors, vectors[found.indices])
    np.testing.assert_allclose(found.scores, cosines, atol=2e-6)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_many_find_the_same_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = grouped(6_000)
    found: list[Nearest] = []
    for threads in (1, 3):
        monkeypatch.setattr(neighbour_lists, "cores", lambda threads=threads: threads)
        found.append(nearest(vectors, k=10, exact_up_to=0))
    np.testing.assert_array_equal(found[0].indices, found[1].indices)
    np.testing.assert_array_equal(found[0].scores, found[1].scores)


@settings(max_examples=30, deadline=None)
@given(small_vectors, st.integers(1, 40), st.integers(1, 12))
def test_tiles_of_any_size_give_the_same(vectors: np.ndarray, k: int, tile_rows: int) -> None:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = (vectors / np.where(norms, norms, 1))[norms[:, 0] > 0].astype(np.float32)
    if (width := min(k, len(units) - 1)) < 1:
        return
    _, expected = compared(units, width)
    _, scores = compared(units, width, tile_rows=tile_rows)
    np.testing.assert_allclose(scores, expected, atol=2e-6)


def test_many_tiles_give_what_one_gives() -> None:
    vectors = grouped(500)
    expected = compared(vectors, 7)
    indices, scores = compared(vectors, 7, tile_rows=33)
    np.testing.assert_array_equal(indices, expected[0])
    np.testing.assert_allclose(scores, expected[1], atol=1e-6)


@pytest.mark.parametrize("exact_up_to", [5, 0])
def test_equal_scores_come_in_order_of_row(exact_up_to: int) -> None:
    vectors = np.tile(np.array([[1.0, 2.0]], np.float32), (5, 1))
    found = nearest(vectors, k=3, exact_up_to=exact_up_to)
    assert found.indices.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    np.testing.assert_allclose(found.scores, 1.0)


@pytest.mark.parametrize("rows", [0, 1])
def test_nobody_else_means_no_columns(rows: int) -> None:
    found = nearest(np.ones((rows, 4), np.float32), k=5)
    assert found.indices.shape == found.scores.shape == (rows, 0)


def test_a_users_vector_is_the_normalised_mean_without_empty_messages() -> None:
    vectors = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [1, 0], [-1, 0]], np.float32)
    users, means = user_vectors(["b", "b", "b", "silent", "torn", "torn"], vectors)
    assert users == ["b"]
    np.testing.assert_allclose(means, [[np.sqrt(0.5), np.sqrt(0.5)]], rtol=1e-6)


def test_counting_a_shared_text_twice_is_writing_it_twice() -> None:
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    counted = user_vectors_of(["a", "a"], np.array([0, 1]), np.array([2, 1]), vectors)
    written = user_vectors(["a", "a", "a"], vectors[[0, 0, 1]])
    assert counted[0] == written[0]
    np.testing.assert_allclose(counted[1], written[1])


def test_no_messages_no_vectors() -> None:
    users, vectors = user_vectors([], np.zeros((0, 384), np.float32))
    assert users == []
    assert vectors.shape == (0, 384)
