"""Which parts of a table came and went since, and which of them the next version keeps."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from marketing_platform.defs.changes import OF, parts_changed, parts_kept
from marketing_platform.stores.protocols import StoredTable
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse

SCHEMA = pa.schema([("text", pa.string())])


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    found = DuckDBWarehouse(tmp_path)
    for part in ("one", "two", "three"):
        with found.writer(f"events__{part}", SCHEMA) as writer:
            writer.add(pa.table({"text": [part, f"{part} more"]}))
    return found


def combined(warehouse: DuckDBWarehouse, version: str, *parts: str) -> StoredTable:
    return warehouse.combine(f"events__{version}", [f"events__{part}" for part in parts], SCHEMA)


def made_of(version: str) -> dict[str, dg.MetadataValue]:
    return {OF.format("events"): dg.MetadataValue.text(f"events__{version}")}


def test_parts_that_came_and_went_are_told(warehouse: DuckDBWarehouse) -> None:
    combined(warehouse, "v1", "one", "two")
    now = combined(warehouse, "v2", "two", "three")
    changed = parts_changed(warehouse, made_of("v1"), now)
    assert changed is not None
    assert (changed.came.name, changed.came.parts) == ("events", ("events__three",))
    assert (changed.went.name, changed.went.parts) == ("events_before", ("events__one",))


def test_what_was_collected_or_never_noted_tells_nothing(warehouse: DuckDBWarehouse) -> None:
    combined(warehouse, "v1", "one", "two")
    now = combined(warehouse, "v2", "two", "three")
    assert parts_changed(warehouse, {}, now) is None
    assert parts_changed(warehouse, made_of("v0"), now) is None
    warehouse.drop("events__one")
    assert parts_changed(warehouse, made_of("v1"), now) is None


def test_parts_are_kept_while_all_their_rows_are_wanted(warehouse: DuckDBWarehouse) -> None:
    before = combined(warehouse, "v1", "one", "two").ref
    wanted = pa.array(["one", "one more", "two", "something new"])
    kept = parts_kept(warehouse, before, "text", wanted)
    assert kept.parts == ("events__one",)
    assert kept.keys.to_pylist() == ["one", "one more"]


def test_a_table_of_too_many_parts_is_written_anew(warehouse: DuckDBWarehouse) -> None:
    before = combined(warehouse, "v1", *["one"] * 8).ref
    kept = parts_kept(warehouse, before, "text", pa.array(["one", "one more"]))
    assert (kept.parts, len(kept.keys)) == ((), 0)
