"""A collection that is written in files is the collection that Milvus Lite opens, whatever came and went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from marketing_platform.stores import milvus_lite_files
from marketing_platform.stores.protocols import VectorChange
from marketing_platform.stores.vectors_milvus_lite import MilvusLiteVectors

DIM = 8


def records(said: dict[str, int]) -> pa.Table:
    """Records whose vector points along the axis of a number."""
    vectors = np.eye(DIM, dtype=np.float32)[[number % DIM for number in said.values()]]
    return pa.table(
        {
            "record_id": pa.array(said, pa.string()),
            "user_id": pa.array(["u"] * len(said), pa.string()),
            "text_embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIM),
        }
    )


def stored(store: MilvusLiteVectors, name: str) -> dict[str, int]:
    """Every record that Milvus Lite finds, and the axis it points along."""
    reader = store.open(name)
    found = reader.search(np.eye(DIM, dtype=np.float32), limit=1_000)
    reader.close()
    return {hit.record_id: axis for axis, hits in enumerate(found) for hit in hits if hit.score > 0.99}


@pytest.mark.parametrize("most_deleted", [0.25, 10.0])
def test_whatever_came_and_went_is_there_or_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_deleted: float
) -> None:
    # Small segments: they fill, are many, become one, and are written again where much was deleted.
    monkeypatch.setattr(milvus_lite_files, "SEGMENT_ROWS", 7)
    monkeypatch.setattr(milvus_lite_files, "_MOST_SMALL", 3)
    monkeypatch.setattr(milvus_lite_files, "_MOST_DELETED", most_deleted)
    store = MilvusLiteVectors(tmp_path)
    random = np.random.default_rng(5)
    said = {f"r{number}": number % DIM for number in range(30)}
    store.write("v_0", [records(said)], dim=DIM)
    for version in range(1, 13):
        gone = [record for record in said if random.random() < 0.2]
        new = {
            f"r{number}": int(random.integers(DIM)) for number in range(30 + 4 * version, 36 + 4 * version)
        }
        new = {record: axis for record, axis in new.items() if record not in said}
        again = {record: (said[record] + 1) % DIM for record in gone[:2]}
        said = {record: axis for record, axis in said.items() if record not in gone} | new | again
        change = VectorChange(
            f"v_{version - 1}", [pa.table({"record_id": pa.array(gone, pa.string())})], [records(new | again)]
        )
        assert store.write(f"v_{version}", [], dim=DIM, change=change) == len(said)
        if version % 4 == 0:
            assert stored(store, f"v_{version}") == said
    kept = list(tmp_path.glob("v_12/**/data/*.parquet"))
    assert len(kept) < 12


def test_a_change_that_brings_what_is_there_is_refused(tmp_path: Path) -> None:
    store = MilvusLiteVectors(tmp_path)
    store.write("v_0", [records({"a": 1})], dim=DIM)
    with pytest.raises(ValueError, match="record ids repeat"):
        store.write("v_1", [], dim=DIM, change=VectorChange("v_0", [], [records({"a": 2})]))
    assert store.names() == ["v_0"]


def test_nothing_is_opened_to_be_counted_or_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MilvusLiteVectors(tmp_path)
    store.write("v_0", [records({"a": 1, "b": 2})], dim=DIM)

    def refuse(*_: object) -> None:
        raise AssertionError("Milvus Lite was started")

    monkeypatch.setattr("marketing_platform.stores.vectors_milvus_lite._milvus", refuse)
    change = VectorChange("v_0", [pa.table({"record_id": ["a"]})], [records({"c": 3})])
    assert store.write("v_1", [], dim=DIM, change=change) == store.count("v_1") == 2
