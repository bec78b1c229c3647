"""What each role promises. Every implementation passes the same contract tests.

Names are given by the caller and belong to one version of one asset (`events_3f9ac21b`); writing
a name that exists replaces it as a whole (a retry), nothing reads it before it is complete, and
`names`/`drop` let collection remove what no release needs. A reader is opened for names that
a release pinned; it may be used from several threads and processes, beside any writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

# A chunk of landed records: ordinal (int64, counts from 0 in the object), document (JSON object
# whose values are strings or null, the record as text) and defect (why it could not be split
# into its fields, or null).
RAW_SCHEMA = pa.schema([("ordinal", pa.int64()), ("document", pa.string()), ("defect", pa.string())])

# A quarantined record: the same, with every reason it was refused for (JSON array of strings).
QUARANTINE_SCHEMA = pa.schema([("ordinal", pa.int64()), ("document", pa.string()), ("reasons", pa.string())])


@dataclass(frozen=True)
class LandedObject:
    """One version of one object in the landing zone."""

    name: str  # path below the landing zone, with forward slashes
    generation: str  # changes whenever the content may have changed
    size: int  # bytes
    updated_at: datetime  # UTC


class Objects(Protocol):
    """The landing zone: objects that others write; we add (`put`, `create`) and take away (`forget`)."""

    def list(self, *, below: str = "", start: str = "") -> Iterator[LandedObject]:
        """Every object, hidden and temporary files left out, in order of name.

        Args:
            below: Only what lies in this folder (`stream/events`, no slash at its end) or deeper.
            start: Only names from this one on (`stream/events/7.ndjson`, that one included).
        """
        ...

    def snapshot(self, landed: LandedObject) -> tuple[str, int]:
        """Keep this version for good; returns (sha256 hex of the bytes, size kept)."""
        ...

    def open(self, content_hash: str) -> BinaryIO:
        """The bytes of a kept version."""
        ...

    def forget(self, name: str, content_hash: str) -> None:
        """Remove the kept version, and the landed object where it is still that version.

        Objects of a stream stay where they landed: what lands next is told by them. Forgetting what
        is not there changes nothing.
        """
        ...

    def put(self, name: str, content: Iterable[bytes]) -> LandedObject:
        """Land an object durably; it appears in `list` only when complete."""
        ...

    def create(self, name: str, content: Iterable[bytes]) -> LandedObject:
        """As `put`, but never over an object: of all who create one name, exactly one lands.

        Raises:
            AlreadyThere: An object of that name has landed; it stays as it is. A call whose outcome
                did not reach it (a lost connection) may raise this for an object of its own.
        """
        ...


class Documents(Protocol):
    """Raw records and quarantined records, per batch."""

    def write_raw(self, batch_id: str, chunks: Iterable[pa.Table], *, ingested_at: datetime) -> int:
        """Replace the raw records of a batch by these; returns how many. All or nothing.

        Chunks come in order of ordinal, in either form of `raw_chunks.py`.
        """
        ...

    def read_raw(self, batch_id: str, *, chunk_rows: int) -> Iterator[pa.Table]:
        """The raw records in order of ordinal (RAW_SCHEMA)."""
        ...

    def read_compact(self, batch_id: str, *, chunk_rows: int) -> Iterator[pa.Table]:
        """The same, each chunk in the form of `raw_chunks.py` that takes the store least."""
        ...

    def count_raw(self, batch_id: str) -> int:
        """How many raw records of a batch are kept, counted without reading them."""
        ...

    def write_quarantine(self, batch_id: str, chunks: Iterable[pa.Table]) -> int:
        """Replace the quarantined records of a batch (QUARANTINE_SCHEMA); returns how many."""
        ...

    def read_quarantine(self, batch_id: str, *, limit: int | None = None) -> Iterator[pa.Table]:
        """The quarantined records in order of ordinal (QUARANTINE_SCHEMA)."""
        ...

    def drop(self, batch_id: str) -> None:
        """Forget a batch's raw and quarantined records."""
        ...


class EnrichedDocuments(Protocol):
    """Facts as documents for people to open, in sets that are looked through together.

    A row becomes a document of its values that are not null. Besides any others it has the columns
    `row_ordinal` (int64, unique in the set), `user_id`, `campaign_id` and `timestamp`; moments are
    kept to the millisecond.
    """

    def write(self, name: str, chunks: Iterable[pa.Table]) -> int:
        """Store the set `name`; returns how many documents. All or nothing."""
        ...

    def read(
        self, names: Sequence[str], *, limit: int, user_id: str | None = None, campaign_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The newest documents of these sets, of one user or campaign where one is given."""
        ...

    def count(self, name: str) -> int: ...

    def names(self) -> list[str]: ...

    def drop(self, name: str) -> None: ...


@dataclass(frozen=True)
class TableRef:
    """A table as SQL sees it: its logical name and the stored parts it consists of.

    A fact table consists of one part per batch; anything computed is one part.
    """

    name: str
    parts: tuple[str, ...]
    schema: pa.Schema


@dataclass(frozen=True)
class StoredTable:
    """What was written: the reference, and evidence that goes into metadata and manifest."""

    ref: TableRef
    rows: int
    fingerprint: str  # order-independent hash of the rows; equal content, equal fingerprint
    # What storing it took, where the engine bills by the bytes it reads; no property of the rows.
    cost: Mapping[str, int] = field(default_factory=dict[str, int], compare=False)


@dataclass(frozen=True)
class Select:
    """A query in DuckDB's dialect over logical table names, with named parameters (`$name`)."""

    sql: str
    tables: Sequence[TableRef] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


class PartWriter(Protocol):
    """Takes the rows of one part, chunk by chunk."""

    def add(self, rows: pa.Table) -> None: ...

    @property
    def stored(self) -> StoredTable:
        """What was stored; there once the writer's block has ended without an error."""
        ...


class Warehouse(Protocol):
    """Typed tables and the SQL over them.

    A part is stored under `<logical name>__<version>`, so that `events__3f9ac21b0d11` is a version
    of `events`.
    """

    def writer(self, part: str, schema: pa.Schema) -> AbstractContextManager[PartWriter]:
        """Store the rows that are added in the block as `part`; nothing if the block raises."""
        ...

    def create(self, part: str, select: Select) -> StoredTable:
        """Store the result of a query as `part`, computed inside the engine."""
        ...

    def combine(self, part: str, parts: Sequence[str], schema: pa.Schema) -> StoredTable:
        """Store `part` as the union of stored parts, without copying a row."""
        ...

    def open(self, part: str) -> StoredTable:
        """What was stored under `part`; UnknownName when nothing was."""
        ...

    def query(self, select: Select) -> pa.Table:
        """Run a query and return its rows."""
        ...

    def batches(self, select: Select, *, chunk_rows: int) -> Iterator[pa.Table]:
        """Run a query and stream its rows in chunks of about `chunk_rows`."""
        ...

    def names(self) -> list[str]: ...

    def drop(self, part: str) -> None: ...


@runtime_checkable
class FileParts(Protocol):
    """A warehouse whose parts are Parquet files that other engines may read."""

    def files(self, table: TableRef) -> list[Path]:
        """The files with the rows of a table; those of older parts may lack columns, which are null there."""
        ...


@dataclass(frozen=True)
class Neighbour:
    """One search hit."""

    record_id: str
    user_id: str
    score: float  # cosine similarity, -1..1


class VectorReader(Protocol):
    """Search in one pinned collection."""

    def search(self, vectors: np.ndarray, *, limit: int) -> list[list[Neighbour]]:
        """For each row of `vectors` (n x dim float32) its nearest records by cosine, best first."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class VectorChange:
    """How a collection of vectors differs from one that is stored; either iterable is read once."""

    base: str  # the name of that one
    removed: Iterable[pa.Table]  # `record_id`; what `base` does not hold is not missed
    added: Iterable[pa.Table]  # the columns of a collection; may bring removed ids again


class Vectors(Protocol):
    """Collections with `record_id`, `user_id`, `text_embedding` (float32, COSINE)."""

    def write(
        self, name: str, chunks: Iterable[pa.Table], *, dim: int, change: VectorChange | None = None
    ) -> int:
        """Store the collection `name` from tables with those three columns; returns its row count.

        With `change`, a store that can starts from a collection it holds and writes only what is different;
        `chunks` are then not read. Both say the same.
        """
        ...

    def open(self, name: str) -> VectorReader: ...

    def exact(self, name: str) -> bool:
        """Whether a search in `name` compares every vector, so that it misses none."""
        ...

    def count(self, name: str) -> int: ...

    def names(self) -> list[str]: ...

    def drop(self, name: str) -> None: ...


@dataclass(frozen=True)
class NodeSet:
    """Nodes of one label; `rows` has the columns of that label in `graph/model.py`.

    Many nodes of a label may come as several sets, one after the other.
    """

    label: str
    rows: pa.Table


# The first columns of a relation set: the keys of the nodes at its ends.
RELATION_ENDS = ("source_key", "target_key")


@dataclass(frozen=True)
class RelationSet:
    """Relations of one type between two labels; `rows` starts with the columns RELATION_ENDS.

    Many relations of a type may come as several sets, one after the other.
    """

    type: str
    source: str
    target: str
    rows: pa.Table


@dataclass(frozen=True)
class GraphCounts:
    """What a stored graph holds."""

    nodes: Mapping[str, int]
    relations: Mapping[str, int]


@dataclass(frozen=True)
class GraphChanges:
    """What makes the stored graph `base` another one; no node of it is gone.

    Sets are computed when they are asked for, once, and in this order.
    """

    base: str
    added_nodes: Iterable[NodeSet]
    changed_nodes: Iterable[NodeSet]  # all properties of nodes that the base has
    added_relations: Iterable[RelationSet]
    renewed_relations: Iterable[RelationSet]  # all of a type, instead of those that the base has


class GraphReader(Protocol):
    """Named, read-only questions to one pinned graph."""

    def run(self, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run parameterised Cypher and return its rows; plain Python values only."""
        ...

    def close(self) -> None: ...


class Graphs(Protocol):
    """Property graphs that speak Cypher."""

    def write(
        self,
        name: str,
        nodes: Iterable[NodeSet],
        relations: Iterable[RelationSet],
        *,
        changes: GraphChanges | None = None,
    ) -> GraphCounts:
        """Store a graph: from its nodes and relations, or the same one from another by `changes`.

        A store that cannot start from another graph, or finds no graph `changes.base`, takes nodes and
        relations; otherwise they are not asked for.
        """
        ...

    def open(self, name: str) -> GraphReader: ...

    def count(self, name: str) -> GraphCounts: ...

    def names(self) -> list[str]: ...

    def drop(self, name: str) -> None: ...


class AnswersReader(Protocol):
    """Look-ups in one pinned set of answers."""

    @property
    def identity(self) -> str:
        """Stands for exactly the answers that were opened: other content has another identity."""
        ...

    def get(self, key: str) -> bytes | None:
        """The ready JSON answer of `key`, or None."""
        ...

    def close(self) -> None: ...


class Answers(Protocol):
    """Precomputed answers, looked up by key (a user id)."""

    def write(self, name: str, chunks: Iterable[pa.Table]) -> int:
        """Store tables with the columns `key` (string) and `answer` (binary, JSON); returns the count."""
        ...

    def open(self, name: str) -> AnswersReader: ...

    def count(self, name: str) -> int: ...

    def names(self) -> list[str]: ...

    def drop(self, name: str) -> None: ...


class Reports(Protocol):
    """JSON documents that people open."""

    def write(self, name: str, document: dict[str, Any]) -> str:
        """Store a report; returns where it lies: a path, or an address such as `gs://…`."""
        ...

    def read(self, name: str) -> dict[str, Any]: ...

    def names(self) -> list[str]: ...

    def drop(self, name: str) -> None: ...


class Counters(Protocol):
    """Counters of short windows that several processes add to. Blocks for a round trip."""

    def add(
        self, name: str, window: int, added: Mapping[str, int], *, seconds: int
    ) -> dict[str, tuple[int, int]]:
        """Add to the counters of a window; StoreUnavailable when they cannot be reached.

        Args:
            name: What is counted.
            window: The number of the window; the one before it is `window - 1`.
            added: How much for whom.
            seconds: Length of a window; counters are kept for two of them.

        Returns:
            For each of `added`: the sums of all processes, in the window before and in this one.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
