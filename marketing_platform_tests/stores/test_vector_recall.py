"""Recall has the value that counting by hand gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from marketing_platform.stores.protocols import Neighbour
from marketing_platform.stores.vector_recall import recall


class Answers:
    """A reader whose hits have these scores."""

    def __init__(self, *scores: list[float]) -> None:
        self._scores = scores

    def search(self, vectors: np.ndarray, *, limit: int) -> list[list[Neighbour]]:
        return [[Neighbour(f"r{row}", "u", score) for row, score in enumerate(hits)] for hits in self._scores]

    def close(self) -> None:
        pass


def table(*vectors: list[float]) -> pa.Table:
    return pa.table({"text_embedding": pa.array(vectors, pa.list_(pa.float32(), 2))})


STORED = [table([1, 0], [0, 1]), table([-1, 0], [3, 3])]  # cosines with (1, 0): 1, 0, -1, .707


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([1.0, 0.7071068], 1.0), ([1.0, 0.0], 0.5), ([1.0], 0.5), ([], 0.0), ([0.7071068, 0.7071068], 1.0)],
)
def test_hits_as_near_as_the_exact_ones_count(scores: list[float], expected: float):
    assert recall(Answers(scores), np.array([[2.0, 0.0]]), STORED, limit=2) == expected


def test_all_queries_count_alike():
    queries = np.array([[1.0, 0.0], [0.0, 5.0]])
    assert recall(Answers([1.0, 0.7071068], [0.3, 0.2]), queries, STORED, limit=2) == 0.5


def test_fewer_records_than_asked_for_are_all_there_is():
    assert recall(Answers([1.0, 0.0]), np.array([[1.0, 0.0]]), STORED[:1], limit=5) == 1.0


def test_nothing_to_find_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        recall(Answers([]), np.array([[1.0, 0.0]]), [], limit=5)
