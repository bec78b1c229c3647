"""Enriched documents on one machine: a set is a Parquet part, and DuckDB looks through the sets.

A row of SQLite per document took 577 bytes and some 17 microseconds; a part takes a few percent of the bytes
and a seventh of the time. Who looks for the documents of a user waits 45 ms (docs/decisions/0034-load.md).
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.errors import UnknownName
from marketing_platform.stores.enriched_rows import documents_of
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse

_ORDINAL = "row_ordinal"
_EMPTY = pa.schema([(_ORDINAL, pa.int64()), ("user_id", pa.string()), ("campaign_id", pa.string())]).append(
    pa.field("timestamp", pa.timestamp("us", tz="UTC"))
)


class ParquetEnrichedDocuments:
    """Implements `EnrichedDocuments` below one folder, which appears with the first write."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._parts = DuckDBWarehouse(root)

    def write(self, name: str, chunks: Iterable[pa.Table]) -> int:
        """Replace a set; ValueError when a `row_ordinal` repeats."""
        given = iter(chunks)
        first = next(given, _EMPTY.empty_table())
        ordinals: list[pa.ChunkedArray] = []
        with self._parts.writer(name, first.schema) as part:
            for rows in chain([first], given):
                part.add(rows)
                ordinals.append(rows[_ORDINAL])
            if _repeats(ordinals):
                raise ValueError(f"a row_ordinal of {name} repeats; they must be unique")
        return part.stored.rows

    def read(
        self, names: Sequence[str], *, limit: int, user_id: str | None = None, campaign_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The newest documents of these sets."""
        there = set(self.names())
        parts = [self._parts.open(name).ref for name in names if name in there]
        if not parts:
            return []
        wanted = {"user_id": user_id, "campaign_id": campaign_id}
        given = {column: value for column, value in wanted.items() if value is not None}
        conditions = " AND ".join(["true", *(f"{column} = ${column}" for column in given)])
        sets = TableRef("sets", tuple(leaf for part in parts for leaf in part.parts), parts[0].schema)
        newest = Select(
            f"SELECT * FROM sets WHERE {conditions} ORDER BY timestamp DESC NULLS LAST LIMIT {limit:d}",  # noqa: S608
            [sets],
            given,
        )
        return list(documents_of(self._parts.query(newest)))

    def count(self, name: str) -> int:
        """How many documents a set holds; UnknownName when nothing complete is there."""
        try:
            return self._parts.open(name).rows
        except UnknownName:
            raise UnknownName(f"{self._root} holds no set of documents under the name {name!r}") from None

    def names(self) -> list[str]:
        """Every complete set."""
        return self._parts.names()

    def drop(self, name: str) -> None:
        """Forget a set."""
        self._parts.drop(name)


def _repeats(ordinals: Sequence[pa.ChunkedArray]) -> bool:
    """Whether a number is there twice; they mostly come in order, which is seen at once."""
    chunks = [chunk for one in ordinals for chunk in one.chunks if len(chunk)]
    if not chunks:
        return False
    numbers = pa.chunked_array(chunks)
    whole = numbers.combine_chunks()
    if pc.all(pc.greater(whole[1:], whole[:-1])).as_py() is not False:
        return False
    return pc.count_distinct(numbers).as_py() < len(numbers)
