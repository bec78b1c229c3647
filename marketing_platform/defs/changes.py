"""What a fact table holds that it did not hold when something was computed from it, and the reverse.

A fact table consists of parts that never change, one or more per batch. What was made of it notes its name
(`OF`); whoever makes the next version reads the parts that came and went since, not all of it. A table whose
rows never change consists of parts, too, and the next version keeps those it needs (`parts_kept`).
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.errors import UnknownName
from marketing_platform.stores.protocols import Select, StoredTable, TableRef, Warehouse

_MOST_PARTS = 8  # of which a table is put together, before it is better written as one
OF = "of_table/{}"  # metadata: the stored name of a table that something was made of


@dataclass(frozen=True)
class PartsChanged:
    """The parts of a table that came, under its own name, and those that went, under `<name>_before`."""

    came: TableRef
    went: TableRef


def parts_changed(
    warehouse: Warehouse, made: Mapping[str, dg.MetadataValue], now: StoredTable
) -> PartsChanged | None:
    """What changed since something with this metadata was made; None when that can no longer be told."""
    noted = made.get(OF.format(now.ref.name))
    if noted is None:
        return None
    try:
        before = warehouse.open(str(noted.value)).ref.parts
        went = tuple(part for part in before if part not in set(now.ref.parts))
        for part in went:
            warehouse.open(part)
    except UnknownName:  # collected since
        return None
    came = tuple(part for part in now.ref.parts if part not in set(before))
    return PartsChanged(
        TableRef(now.ref.name, came, now.ref.schema), TableRef(f"{now.ref.name}_before", went, now.ref.schema)
    )


@dataclass(frozen=True)
class PartsKept:
    """Parts of a table of which every row is still wanted, and the keys of their rows."""

    parts: tuple[str, ...]
    keys: pa.ChunkedArray


def parts_kept(warehouse: Warehouse, before: TableRef, key: str, wanted: pa.Array) -> PartsKept:
    """Which parts a table of the rows with these keys keeps; none where they became too many."""
    parts: list[str] = []
    keys: list[pa.ChunkedArray] = []
    for part in before.parts if len(before.parts) < _MOST_PARTS else ():
        alone = TableRef(before.name, (part,), before.schema)
        found = warehouse.query(Select(f'SELECT "{key}" FROM "{before.name}"', [alone]))[key]  # noqa: S608 -- our own names
        if pc.all(pc.is_in(found, value_set=wanted), min_count=0).as_py():
            parts.append(part)
            keys.append(found)
    chunks = [chunk for column in keys for chunk in column.chunks]
    return PartsKept(tuple(parts), pa.chunked_array(chunks, wanted.type))
