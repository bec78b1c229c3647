"""What a fact table holds that it did not hold when something was computed from it, and the reverse.

A fact table consists of parts that never change, one or more per batch. What was made of it notes its name
(`OF`); whoever makes the next version reads the parts that came and went since, not all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from marketing_platform.errors import UnknownName
from marketing_platform.stores.protocols import StoredTable, TableRef, Warehouse

OF = "of_table/{}"  # metadata: the name of the fact table that something was made of


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
