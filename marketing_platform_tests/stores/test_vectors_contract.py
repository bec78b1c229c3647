"""What every implementation of `Vectors` does. A new one adds a class of three lines at the end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from marketing_platform.errors import UnknownName
from marketing_platform.stores.protocols import Neighbour, VectorChange, Vectors
from marketing_platform.stores.vectors_milvus_lite import MilvusLiteVectors
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared
from marketing_platform_tests.stores.processes import (
    AWKWARD,
    in_another_process,
    killed_half_way,
    one_row_per_chunk,
    then_hang,
)

NAME = "message_embeddings_3f9ac21b"
DIM = 16


def axis(number: int) -> np.ndarray:
    """Record `number` points along its own axis, so that its nearest neighbour is known."""
    return np.eye(DIM, dtype=np.float32)[number % DIM]


def records(numbers: Sequence[int], vectors: np.ndarray | None = None) -> pa.Table:
    if vectors is None:
        vectors = np.array([axis(number) for number in numbers], dtype=np.float32).reshape(len(numbers), DIM)
    return pa.table(
        {
            "record_id": pa.array(
                [AWKWARD[number] if number < len(AWKWARD) else f"r{number}" for number in numbers]
            ),
            "user_id": pa.array([f"{AWKWARD[number % len(AWKWARD)]}-user" for number in numbers]),
            "text_embedding": pa.FixedSizeListArray.from_arrays(
                pa.array(vectors.reshape(-1)), vectors.shape[1]
            ),
        }
    )


def changed(base: str, *, gone: Sequence[int] = (), new: Sequence[int] = ()) -> VectorChange:
    return VectorChange(base, [records(gone).select(["record_id"])], [records(new)])


def nearest(store: Vectors, name: str, vectors: np.ndarray, limit: int) -> list[list[Neighbour]]:
    reader = store.open(name)
    try:
        return reader.search(vectors, limit=limit)
    finally:
        reader.close()


def all_ids(store: Vectors, name: str) -> list[str]:
    return sorted(hit.record_id for hit in nearest(store, name, np.ones((1, DIM), np.float32), 100)[0])


def write_and_hang(store: Vectors, half_way: Any) -> None:
    store.write(NAME, then_hang(records(range(3)), half_way), dim=DIM)


class VectorsContract:
    def create(self, root: Path) -> Vectors:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Vectors:
        return self.create(tmp_path / "vectors")

    def test_every_record_is_its_own_nearest(self, store: Vectors):
        numbers = range(len(AWKWARD))
        assert store.write(NAME, [records(numbers)], dim=DIM) == store.count(NAME) == len(AWKWARD)
        found = nearest(store, NAME, 7 * np.array([axis(number) for number in numbers]), 1)
        assert [hit.record_id for (hit,) in found] == AWKWARD
        assert [hit.user_id for (hit,) in found] == [f"{name}-user" for name in AWKWARD]
        assert [hit.score for (hit,) in found] == pytest.approx([1.0] * len(AWKWARD))

    def test_scores_are_cosines_and_best_comes_first(self, store: Vectors):
        random = np.random.default_rng(0)
        vectors = random.normal(size=(40, DIM)).astype(np.float32)
        store.write(NAME, one_row_per_chunk(records(range(40), vectors)), dim=DIM)
        query = random.normal(size=(3, DIM)).astype(np.float32)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = np.sort((query / np.linalg.norm(query, axis=1, keepdims=True)) @ unit.T)[:, ::-1]
        together = nearest(store, NAME, query, 5)
        assert [[hit.score for hit in hits] for hits in together] == [
            pytest.approx(row, abs=1e-5) for row in cosines[:, :5]
        ]
        for row, hits in enumerate(together):
            alone = nearest(store, NAME, query[row : row + 1], 5)[0]
            assert [hit.record_id for hit in alone] == [hit.record_id for hit in hits]

    def test_nothing_can_be_stored_and_searched(self, store: Vectors):
        assert store.write(NAME, [], dim=DIM) == store.count(NAME) == 0
        assert store.names() == [NAME]
        assert nearest(store, NAME, np.ones((1, DIM), np.float32), 5) == [[]]
        assert nearest(store, NAME, np.ones((0, DIM), np.float32), 5) == []

    def test_writing_again_replaces_the_whole(self, store: Vectors):
        store.write(NAME, [records([0, 1])], dim=DIM)
        assert store.write(NAME, [records([1, 2])], dim=DIM) == 2
        assert all_ids(store, NAME) == sorted(AWKWARD[1:3])

    def test_a_new_version_is_what_changed_in_its_base(self, store: Vectors):
        store.write("v_1", [records(range(12))], dim=DIM)
        change = changed("v_1", gone=range(3), new=range(12, 15))
        assert store.write("v_2", [records(range(3, 15))], dim=DIM, change=change) == store.count("v_2") == 12
        change = changed("v_2", gone=[14], new=[2])
        assert store.write("v_3", [records(range(2, 14))], dim=DIM, change=change) == 12
        names = [*AWKWARD, *(f"r{number}" for number in range(len(AWKWARD), 15))]
        assert all_ids(store, "v_1") == sorted(names[:12])
        assert all_ids(store, "v_2") == sorted(names[3:])
        assert all_ids(store, "v_3") == sorted(names[2:14])
        store.drop("v_1")
        assert nearest(store, "v_3", axis(2)[None], 1)[0][0].record_id == AWKWARD[2]

    def test_a_base_may_be_emptied_and_may_be_empty(self, store: Vectors):
        store.write("v_1", [records([0, 1])], dim=DIM)
        assert store.write("v_2", [], dim=DIM, change=changed("v_1", gone=[0, 1])) == 0
        assert all_ids(store, "v_2") == []
        change = changed("v_2", new=[0, 1])
        assert store.write("v_3", [records([0, 1])], dim=DIM, change=change) == 2

    def test_a_record_may_say_something_else_in_the_next_version(self, store: Vectors):
        store.write("v_1", [records([0, 1])], dim=DIM)
        other = records([0], np.array([axis(7)]))
        change = VectorChange("v_1", [other.select(["record_id"]), other.select(["record_id"])], [other])
        assert store.write("v_2", [other, records([1])], dim=DIM, change=change) == 2
        assert nearest(store, "v_2", axis(7)[None], 1)[0][0].record_id == AWKWARD[0]
        assert nearest(store, "v_2", axis(0)[None], 1)[0][0].score == pytest.approx(0, abs=1e-6)

    def test_what_the_base_does_not_hold_is_not_missed(self, store: Vectors):
        store.write("v_1", [records([0])], dim=DIM)
        change = changed("v_1", gone=[5, 6], new=[1])
        assert store.write("v_2", [records([0, 1])], dim=DIM, change=change) == 2

    def test_many_small_changes_add_up(self, store: Vectors):
        store.write("v_0", [records([0, 1])], dim=DIM)
        for number in range(1, 14):
            change = changed(f"v_{number - 1}", gone=[number - 1], new=[number + 1])
            whole = [records([number, number + 1])]
            assert store.write(f"v_{number}", whole, dim=DIM, change=change) == 2
        assert store.count("v_13") == 2
        assert all_ids(store, "v_13") == sorted(records([13, 14])["record_id"].to_pylist())

    @pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
    def test_a_vector_without_direction_is_refused(self, store: Vectors, value: float):
        vectors = np.array([axis(0), np.full(DIM, value)], dtype=np.float32)
        with pytest.raises(ValueError, match="O'Brien"):
            store.write(NAME, [records([0, 1], vectors)], dim=DIM)
        assert store.names() == []

    def test_other_bad_records_are_refused(self, store: Vectors):
        with pytest.raises(ValueError, match="repeat"):
            store.write(NAME, [records([0]), records([0])], dim=DIM)
        with pytest.raises(ValueError, match="8 numbers"):
            store.write(NAME, [records([0])], dim=8)
        with pytest.raises(UnknownName):
            store.write(NAME, [records([0])], dim=DIM, change=changed("never_written", new=[0]))
        assert store.names() == []

    def test_a_reader_keeps_what_it_opened(self, store: Vectors):
        store.write(NAME, [records([0])], dim=DIM)
        reader = store.open(NAME)
        store.write("v_2", [records([1])], dim=DIM)
        store.write(NAME, [records([2])], dim=DIM)
        store.drop(NAME)
        assert reader.search(axis(5)[None], limit=5)[0][0].record_id == AWKWARD[0]
        reader.close()

    def test_names_come_and_go(self, store: Vectors):
        assert store.names() == []
        store.write(NAME, [records([0])], dim=DIM)
        store.write("a_1", [records([0])], dim=DIM)
        assert store.names() == ["a_1", NAME]
        store.drop("a_1")
        store.drop("a_1")
        assert store.names() == [NAME]
        with pytest.raises(UnknownName, match="a_1"):
            store.open("a_1")
        with pytest.raises(UnknownName, match="a_1"):
            store.count("a_1")

    @pytest.mark.slow
    def test_readers_in_threads_and_processes(self, store: Vectors):
        store.write(NAME, [records(range(DIM))], dim=DIM)
        reader = store.open(NAME)
        with ThreadPoolExecutor(4) as threads:
            found = list(
                threads.map(lambda number: reader.search(axis(number)[None], limit=1)[0][0], range(DIM))
            )
        assert [hit.score for hit in found] == pytest.approx([1.0] * DIM)
        assert len({hit.record_id for hit in found}) == DIM
        assert in_another_process(nearest, store, NAME, axis(2)[None], 1)[0][0].record_id == AWKWARD[2]
        reader.close()

    @pytest.mark.slow
    def test_a_killed_writer_leaves_no_name(self, store: Vectors):
        killed_half_way(write_and_hang, store)
        assert store.names() == []
        assert store.write(NAME, [records([0])], dim=DIM) == 1
        assert all_ids(store, NAME) == [AWKWARD[0]]


class TestMilvusLiteVectors(VectorsContract):
    def create(self, root: Path) -> Vectors:
        return MilvusLiteVectors(root)


if WITH_SERVERS:
    from marketing_platform.stores.vectors_milvus import MilvusVectors
    from marketing_platform_tests.servers import milvus

    class TestMilvusVectors(VectorsContract):
        def create(self, root: Path) -> Vectors:
            return MilvusVectors(milvus.emptied(milvus.settings(shared(milvus.running).endpoint)))
