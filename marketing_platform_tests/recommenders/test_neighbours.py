"""Who is similar, against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from marketing_platform.recommenders.neighbours import nearest, user_vectors, user_vectors_of

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


@settings(max_examples=80, deadline=None)
@given(small_vectors, st.integers(1, 40), st.integers(1, 12))
def test_nearest_is_the_definition_whatever_the_tiles(vectors: np.ndarray, k: int, tile_rows: int) -> None:
    indices, scores = nearest(vectors.astype(np.float64), k=k, tile_rows=tile_rows)
    norms = np.linalg.norm(vectors, axis=1)
    for row in range(len(vectors)):
        if norms[row] == 0:
            assert (indices[row] == -1).all()
            continue
        expected = by_definition(vectors.astype(np.float64), row, k)
        np.testing.assert_allclose(scores[row], [score for _, score in expected], atol=2e-6)
        assert len(set(indices[row].tolist())) == len(expected)
        assert row not in indices[row]
        assert not (norms[indices[row]] == 0).any()


def test_many_tiles_give_what_one_gives() -> None:
    vectors = np.random.default_rng(7).standard_normal((500, 16)).astype(np.float32)
    expected = nearest(vectors, k=7)
    indices, scores = nearest(vectors, k=7, tile_rows=33)
    np.testing.assert_array_equal(indices, expected[0])
    np.testing.assert_allclose(scores, expected[1], atol=1e-6)


def test_equal_scores_come_in_order_of_row() -> None:
    vectors = np.tile(np.array([[1.0, 2.0]], np.float32), (5, 1))
    indices, scores = nearest(vectors, k=3)
    assert indices.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    np.testing.assert_allclose(scores, 1.0)


@pytest.mark.parametrize("rows", [0, 1])
def test_nobody_else_means_no_columns(rows: int) -> None:
    indices, scores = nearest(np.ones((rows, 4), np.float32), k=5)
    assert indices.shape == scores.shape == (rows, 0)


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
