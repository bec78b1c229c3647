"""The files of a Milvus Lite collection that nobody has open: records come and go without Milvus Lite.

While a collection is open Milvus Lite holds every record of it in memory, and what is inserted through its
client becomes Python numbers on the way; neither suits millions of records. So they are added and removed
here as its own flush does it, through the same functions of it: immutable Parquet segments, files of ids for
what is deleted, and one manifest that names them all. How collections are named, cloned and searched is the
business of `vectors_milvus_lite`.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marketing_platform.stores.milvus_rows import RECORD, USER, VECTOR

# Two of them are too many rows for Milvus Lite to merge whenever a collection is opened. pyarrow reads no
# more in one piece, and of several pieces Milvus Lite keeps a second copy.
SEGMENT_ROWS = 131_072
_MOST_SMALL = 8  # segments of fewer rows before they become one
_MOST_DELETED = 0.25  # of what the segments hold, before they are written again
_PARTITION = "_default"
_SEQUENCE = "_seq"


class CollectionFiles:
    """Adds to and removes from the collection in `folder`; `commit` makes it so."""

    def __init__(self, folder: Path) -> None:
        from milvus_lite.storage.manifest import Manifest

        self._folder = folder
        self._manifest = Manifest.load(str(folder))
        self._sequence = self._manifest.current_seq  # of the last record or deletion

    def remove(self, ids: pa.ChunkedArray) -> None:
        """Delete the records of these ids."""
        from milvus_lite.storage.delta_file import write_delta_file

        if not len(ids):
            return
        self._sequence += 1
        sequences = pa.array(np.full(len(ids), self._sequence), pa.uint64())
        deleted = pa.table({RECORD: ids.cast(pa.string()), _SEQUENCE: sequences})
        file = write_delta_file(deleted, str(self._partition), self._sequence, self._sequence)
        self._manifest.add_delta_file(_PARTITION, file)

    def add(self, records: Iterable[pa.RecordBatch]) -> None:
        """Append records, and with them those of segments that are too small or too full of deleted ones."""
        worn = self._worn()
        everything = worn == self._manifest.get_data_files(_PARTITION)
        deletions = self._manifest.get_delta_files(_PARTITION) if everything else []
        kept = chain.from_iterable(self._living(file) for file in worn)
        for segment in _portions(chain(kept, records)):
            self._append(segment)
        self._manifest.remove_data_files(_PARTITION, worn)
        self._manifest.remove_delta_files(_PARTITION, deletions)
        for file in (*worn, *deletions):
            (self._partition / file).unlink()

    def commit(self) -> None:
        """Let the collection consist of what it was given."""
        self._manifest.current_seq = self._sequence
        self._manifest.save()

    @property
    def _partition(self) -> Path:
        return self._folder / "partitions" / _PARTITION

    def _append(self, segment: pa.Table) -> None:
        from milvus_lite.storage.data_file import write_data_file

        first = self._sequence + 1
        self._sequence += len(segment)
        sequences = pa.array(np.arange(first, self._sequence + 1), pa.uint64())
        rows = segment.add_column(0, _SEQUENCE, sequences)
        file = write_data_file(rows, str(self._partition), first, self._sequence)
        self._manifest.add_data_file(_PARTITION, file)

    def _worn(self) -> list[str]:
        """The segments whose records are better written again."""
        rows = {
            file: pq.read_metadata(self._partition / file).num_rows
            for file in self._manifest.get_data_files(_PARTITION)
        }
        if len(self._deleted()) > _MOST_DELETED * sum(rows.values()):
            return list(rows)
        small = [file for file, count in rows.items() if count < SEGMENT_ROWS]
        return small if len(small) > _MOST_SMALL else []

    def _deleted(self) -> pa.Table:
        """Ids that were deleted, and when."""
        files = self._manifest.get_delta_files(_PARTITION)
        empty = pa.table({RECORD: pa.array([], pa.string()), _SEQUENCE: pa.array([], pa.uint64())})
        return pa.concat_tables([empty, *(pq.read_table(self._partition / file) for file in files)])

    def _living(self, segment: str) -> Iterator[pa.RecordBatch]:
        """The records of a segment that were not deleted since."""
        from milvus_lite.storage.data_file import parse_seq_range

        # No deletion ever falls between the records of a segment.
        _, last = parse_seq_range(segment)
        gone = self._deleted().filter(pc.field(_SEQUENCE) > last)[RECORD]
        for batch in pq.ParquetFile(self._partition / segment).iter_batches(columns=[RECORD, USER, VECTOR]):
            yield batch.filter(pc.invert(pc.is_in(batch[RECORD], value_set=gone)))


def _portions(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same records in tables of SEGMENT_ROWS rows, the last one smaller."""
    waiting: list[pa.RecordBatch] = []
    missing = SEGMENT_ROWS
    for whole in batches:
        rest = whole
        while rest.num_rows >= missing:
            yield pa.Table.from_batches([*waiting, rest.slice(0, missing)])
            waiting, rest, missing = [], rest.slice(missing), SEGMENT_ROWS
        if rest.num_rows:
            waiting.append(rest)
            missing -= rest.num_rows
    if waiting:
        yield pa.Table.from_batches(waiting)
