"""Builds sources and reads bytes through them, for the tests beside this module."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pyarrow as pa

from marketing_platform.sources import SourceSpec, read_rows
from marketing_platform.stores.raw_chunks import written_out

EVENT_COLUMNS = {"event_id": "id", "user_id": "user", "message": "text"}

Record = tuple[dict[str, str | None], str | None]


def source(layout: dict[str, Any], tables: dict[str, Any] | None = None, **more: Any) -> SourceSpec:
    """A source over `layout`; it fills events from id, user and text unless told otherwise."""
    declared = {"source": "test", "description": "A test.", "path": "*", "format": layout, **more}
    return SourceSpec.model_validate(declared | {"tables": tables or {"events": {"columns": EVENT_COLUMNS}}})


def raw(content: bytes, spec: SourceSpec, *, chunk_rows: int = 100, max_cell_bytes: int = 4096) -> pa.Table:
    """Every record of the bytes; also checks what holds for any bytes."""
    chunks = list(read_rows(io.BytesIO(content), spec, chunk_rows=chunk_rows, max_cell_bytes=max_cell_bytes))
    assert all(0 < chunk.num_rows <= chunk_rows for chunk in chunks)
    ordinals = [ordinal for chunk in chunks for ordinal in chunk["ordinal"].to_pylist()]
    assert ordinals == list(range(len(ordinals)))
    for chunk in chunks:
        chunk.validate(full=True)
    return pa.concat_tables(map(written_out, chunks)) if chunks else pa.table({"ordinal": [], "document": [], "defect": []})


def records(
    content: bytes, spec: SourceSpec, **limits: int
) -> list[tuple[dict[str, str | None], str | None]]:
    """(document, defect) of every record."""
    table = raw(content, spec, **limits)
    documents = [orjson.loads(document) for document in table["document"].to_pylist()]
    for document in documents:
        assert all(value is None or isinstance(value, str) for value in document.values())
    return list(zip(documents, table["defect"].to_pylist(), strict=True))


def defects(content: bytes, spec: SourceSpec, **limits: int) -> list[str | None]:
    """The defect of every record."""
    return [defect for _, defect in records(content, spec, **limits)]
