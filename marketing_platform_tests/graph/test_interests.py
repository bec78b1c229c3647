"""What messages are about is told by how near they are to an interest, and only when that is clear."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from marketing_platform.graph.interests import (
    LEAST_COSINE,
    LEAST_MARGIN,
    Topics,
    about,
    message_interests,
    topics,
)

EAST, NORTH = np.array([1, 0, 0], np.float32), np.array([0, 1, 0], np.float32)
TOLD = Topics(["Camping", "Cycling"], np.stack([EAST, NORTH]))


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_it_is_the_nearest_if_near_enough_and_clearly_ahead() -> None:
    texts = np.stack(
        [
            unit(1, 0.5, 0),  # nearer to the first, by far
            unit(1, 0.95, 0),  # between both
            unit(0.2, 0, 1),  # far from either
            np.zeros(3, np.float32),
        ]
    )
    assert about(texts, TOLD).tolist() == [0, -1, -1, -1]
    assert about(texts, Topics([], np.zeros((0, 3), np.float32))).tolist() == [-1] * 4


def test_a_single_interest_has_to_be_near_only() -> None:
    alone = Topics(["Camping"], EAST[None, :])
    assert about(np.stack([unit(1, 1, 0), unit(0.2, 1, 0)]), alone).tolist() == [0, -1]


@given(arrays.arrays(np.float32, (7, 4), elements=st.floats(-1, 1, width=32)))
def test_nothing_is_said_of_what_is_unclear(matrix: np.ndarray) -> None:
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    texts = np.divide(matrix, norms, out=np.zeros_like(matrix), where=norms > 1e-3)
    told = Topics(["a", "b", "c"], np.eye(4, dtype=np.float32)[:3])
    for vector, found in zip(texts, about(texts, told), strict=True):
        first, second = sorted(told.vectors @ vector, reverse=True)[:2]
        clear = first >= LEAST_COSINE and first - second >= LEAST_MARGIN
        assert (found >= 0) == clear
        assert not clear or (told.vectors @ vector)[found] == first


def test_a_category_lies_between_its_name_and_its_products() -> None:
    names = np.stack([EAST, NORTH, np.zeros(3, np.float32)])
    told = topics(["Camping", "Cycling", "\x01"], names, ["Camping"], NORTH[None, :])
    assert told.names == ["Camping", "Cycling"]  # what has no word has no direction
    assert np.allclose(told.vectors, [unit(1, 1, 0), NORTH])


def test_messages_are_counted_by_user() -> None:
    written = pa.table(
        {
            "user_id": ["ann", "ann", "ann", "bob", None],
            "text": ["tents", "hello", "", "tents", "tents"],
            "times": [2, 3, 5, 1, 7],
        }
    )
    vectors = np.stack([np.zeros(3, np.float32), unit(0, 0, 1), EAST])
    found = message_interests(written, ["", "hello", "tents"], vectors, TOLD)
    assert found.to_pylist() == [
        {"user_id": "ann", "interest": "Camping", "messages": 2, "written": 5},
        {"user_id": "bob", "interest": "Camping", "messages": 1, "written": 1},
    ]


def test_nobody_wrote_anything() -> None:
    nothing = pa.table({"user_id": pa.array([], pa.string()), "text": pa.array([], pa.string()), "times": []})
    found = message_interests(nothing, [], np.zeros((0, 3), np.float32), TOLD)
    assert found.num_rows == 0
    assert found.column_names == ["user_id", "interest", "messages", "written"]
