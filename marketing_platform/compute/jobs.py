"""What a Spark job is told, as text between two processes; both read it here.

Folders are seen by the launching process and by every process of the cluster under the same path. Results
are Parquet files in order of their names, complete once Spark's mark `_SUCCESS` lies beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from marketing_platform.errors import ComputeUnavailable
from marketing_platform.stores.arrow_bytes import schema_bytes, schema_from

# A message of a job that failed: its key, beside why.
FAILED = "failed"

# What a job measured: rows, seconds, bytes.
Figures = Mapping[str, int]

# A chunk of records after validation: the ordinal of its first record, and `Split`'s fields, tables
# as Arrow streams.
SIFTED_SCHEMA = pa.schema(
    [
        ("first", pa.int64()),
        ("rows_landed", pa.int64()),
        ("rows_valid", pa.int64()),
        ("unreadable", pa.int64()),
        ("quarantine", pa.binary()),
        ("tables", pa.map_(pa.string(), pa.binary())),
    ]
)
TEXTS_SCHEMA = pa.schema([("row", pa.int64()), ("text", pa.string())])
VECTORS_SCHEMA = pa.schema([("row", pa.int64()), ("vector", pa.list_(pa.float32()))])

_BATCH_ROWS = 50_000


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class View(_Told):
    """A logical table: Parquet files, and its columns, which some files may lack."""

    name: str
    files: tuple[str, ...]
    columns: str  # the Arrow schema in Arrow's own bytes, as hex digits

    @classmethod
    def of(cls, name: str, files: Iterable[Path], schema: pa.Schema) -> View:
        """The table `name` that lies in these files."""
        columns = schema_bytes(schema.remove_metadata()).hex()
        return cls(name=name, files=tuple(map(str, files)), columns=columns)

    @property
    def arrow_schema(self) -> pa.Schema:
        return schema_from(bytes.fromhex(self.columns))


class Statements(_Told):
    """Queries in Spark's dialect over views; the rows of each go to a folder of its name."""

    kind: Literal["statements"] = "statements"
    views: tuple[View, ...]
    queries: Mapping[str, str]
    output: Path


class Sifting(_Told):
    """Raw records (RAW_SCHEMA) to valid rows and quarantine (SIFTED_SCHEMA)."""

    kind: Literal["sifting"] = "sifting"
    records: Path
    batch_id: str
    source: str
    landed_at: datetime
    sources_dir: Path
    expectations_dir: Path
    declared: tuple[str, str]  # fingerprints of the source and the suites, as the launching process read them
    output: Path


class Encoding(_Told):
    """Texts (TEXTS_SCHEMA) to vectors (VECTORS_SCHEMA)."""

    kind: Literal["encoding"] = "encoding"
    model: str  # the encoder's name, which executors must agree with
    texts: Path
    models_dir: Path
    output: Path


Job = Annotated[Statements | Sifting | Encoding, Field(discriminator="kind")]
JOBS: TypeAdapter[Job] = TypeAdapter(Job)

# Runs a job until it ends, and says what it measured; ComputeUnavailable when it failed.
Run = Callable[[Job], Figures]


def rows_written(folder: Path) -> int:
    """How many rows lie in a folder of results, of which only the files' footers are read."""
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("part-*.parquet"))


def results(folder: Path, *, batch_rows: int = _BATCH_ROWS, by: str | None = None) -> Iterator[pa.Table]:
    """What a job wrote into a folder, so many rows at once, in the order of its files.

    Files are in the order that a query sorts its rows in. Of staged chunks Spark takes the largest first:
    `by` is a column whose first value in each file puts them in order.

    Raises ComputeUnavailable when the folder is not complete: the cluster's processes do not write where
    this one reads.
    """
    if not (folder / "_SUCCESS").exists():
        raise ComputeUnavailable(
            f"Spark finished, but {folder} is not complete here: on a cluster the data folder must be"
            " mounted under the same path on every machine"
        )
    paths = sorted(path for path in folder.glob("part-*.parquet") if pq.read_metadata(path).num_rows)
    if by is not None:
        paths.sort(key=lambda path: pq.read_table(path, columns=[by])[by][0].as_py())
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_rows):
                yield pa.Table.from_batches([batch])
