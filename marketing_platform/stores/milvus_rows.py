"""What a collection of vectors looks like in Milvus, Lite or a server: its schema, its rows, its hits.

How a collection is stored, found and opened is the business of each store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from marketing_platform.stores.protocols import Neighbour

if TYPE_CHECKING:
    from pymilvus import CollectionSchema

BATCH_ROWS = 2_000  # larger ones are not faster, only bigger
RECORD = "record_id"
USER = "user_id"
VECTOR = "text_embedding"
_COLUMNS = [RECORD, USER, VECTOR]
_LONGEST_TEXT = 65_535  # bytes; Milvus allows no more in a VARCHAR


def collection_schema(dim: int) -> CollectionSchema:
    """record_id (key), user_id and text_embedding of `dim` numbers."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(RECORD, DataType.VARCHAR, is_primary=True, max_length=_LONGEST_TEXT)
    schema.add_field(USER, DataType.VARCHAR, max_length=_LONGEST_TEXT)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dim)
    return schema


def batches(chunks: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    """The three columns of every chunk, in batches that fit into one call."""
    for chunk in chunks:
        yield from chunk.select(_COLUMNS).to_batches(max_chunksize=BATCH_ROWS)


def checked(batch: pa.RecordBatch, dim: int) -> np.ndarray:
    """The vectors of a batch, rows x `dim`.

    ValueError for a missing id or a vector that is zero, not finite or not `dim` long.
    """
    ids = batch[RECORD]
    if ids.null_count or batch[USER].null_count:
        raise ValueError("a vector needs both record_id and user_id; leave records without a user out")
    vectors = batch[VECTOR].flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    if vectors.size != len(ids) * dim:
        raise ValueError(
            f"text_embedding must have {dim} numbers in every row, found {vectors.size} in {len(ids)} rows"
        )
    vectors = vectors.reshape(len(ids), dim)
    refuse_directionless(vectors, lambda row: f"record {ids[row].as_py()!r}")
    return vectors


def checked_rows(batch: pa.RecordBatch, dim: int) -> list[dict[str, Any]]:
    """Rows to insert; refuses what `checked` does."""
    vectors = checked(batch, dim)
    return [
        {RECORD: record, USER: user, VECTOR: vector}
        for record, user, vector in zip(
            batch[RECORD].to_pylist(), batch[USER].to_pylist(), vectors, strict=True
        )
    ]


def record_batch(ids: pa.Array, users: pa.Array, vectors: np.ndarray) -> pa.RecordBatch:
    """The three columns as Milvus Lite keeps them in files; `vectors` are rows x dim."""
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    columns = {
        RECORD: ids.cast(pa.string()),
        USER: users.cast(pa.string()),
        VECTOR: pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    return pa.record_batch(columns)


def refuse_directionless(vectors: np.ndarray, called: Callable[[int], str]) -> None:
    """ValueError for a row that is zero or not finite; `called` names a row."""
    usable = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
    if not usable.all():
        raise ValueError(
            f"{called(int(np.argmin(usable)))} has a zero or not finite vector, "
            "which is near to nothing by cosine; leave it out"
        )


def repeated_ids(given: int, stored: int) -> ValueError:
    """The error for more records than ids."""
    return ValueError(
        f"{given} records were given but {stored} are stored: record ids repeat; make them unique"
    )


def neighbour(hit: Any) -> Neighbour:
    """A hit of a search that asked for user_id."""
    # Rounding in float32 leaves a vector's similarity with itself a little above 1.
    return Neighbour(hit["record_id"], hit["entity"]["user_id"], min(1.0, max(-1.0, float(hit["distance"]))))
