"""The best items of users: three ways to find them, one answer, which is the definition."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from marketing_platform.recommenders.families import products
from marketing_platform.recommenders.ranking import best_items, rank_within, run_starts


def by_definition(scores: np.ndarray, taken: np.ndarray, k: int) -> list[list[int]]:
    """Above 0, not taken, the highest first, of equal ones the first."""
    return [
        sorted(
            (item for item in range(len(row)) if row[item] > 0 and not had[item]), key=lambda i: (-row[i], i)
        )[:k]
        for row, had in zip(scores, taken, strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7), st.sampled_from([3, 40, 700]), st.booleans())
def test_sparse_dense_and_shared_scores_rank_by_the_definition(
    seed: int, k: int, items: int, ties: bool
) -> None:
    chance = np.random.default_rng(seed)
    few = chance.random((9, items)) < 0.2
    figures = chance.integers(-1, 4, (9, items)) if ties else chance.normal(size=(9, items))
    scores = (figures * few).astype(np.float32)
    taken = chance.random((9, items)) < 0.1
    shared = np.broadcast_to(scores[0], scores.shape)
    for given_scores, plain in (
        (lambda rows: sparse.csr_matrix(scores[rows]), scores),
        (lambda rows: scores[rows], scores),
        (lambda rows: np.broadcast_to(scores[0], (len(rows), items)), shared),
    ):
        found = best_items(
            given_scores,
            np.arange(9),
            items=items,
            k=k,
            leave_out=sparse.csr_matrix(taken.astype(np.float32)),
        )
        shown = [[item for item in row.tolist() if item >= 0] for row in found.items]
        assert shown == by_definition(plain, taken, k)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([1, 30, 1_000]))
def test_the_largest_of_each_row_of_a_product_are_kept(seed: int, keep: int, held: int) -> None:
    """In one block, in several, and with a block per row."""
    chance = np.random.default_rng(seed)
    left = chance.integers(0, 3, (12, 8)) * (chance.random((12, 8)) < 0.4)
    product = (left @ left.T).astype(float)
    np.fill_diagonal(product, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_BLOCK_ENTRIES", held)
        found = products.best_of_products(
            sparse.csr_matrix(left.astype(float)),
            sparse.csr_matrix(left.T.astype(float)),
            lambda values, _rows, _columns: values,
            keep=keep,
        ).toarray()
    for row, kept in zip(product, found, strict=True):
        best = sorted((i for i in range(12) if row[i] > 0), key=lambda i: (-row[i], i))[:keep]
        assert np.flatnonzero(kept).tolist() == sorted(best)
        np.testing.assert_allclose(kept[best], row[best])


@given(st.lists(st.integers(-3, 3)))
def test_places_within_runs_are_those_of_groups_of_equal_neighbours(values: list[int]) -> None:
    runs = [list(run) for _, run in groupby(values)]
    groups = np.array(values, np.int64)
    assert rank_within(groups).tolist() == [place for run in runs for place in range(len(run))]
    begins = run_starts(groups).tolist()
    assert begins == [sum(map(len, runs[:number])) for number in range(len(runs))]
