"""Landed records on their way into chunks: documents, defects, and what is kept of a defective one.

How a layout is split into records belongs to `csv_records.py`, `json_records.py` and
`parquet_records.py`; what a value means belongs to `projection.py`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import orjson
import pyarrow as pa

from marketing_platform.sources.text import LongLine, Unreadable, has_surrogates, original_bytes
from marketing_platform.stores.protocols import RAW_SCHEMA

# A chunk is handed on when it holds so many bytes, however few rows that are.
CHUNK_BYTES = 64 << 20
# What is kept of the text of a record that is too large to keep.
PREFIX_CHARACTERS = 2048


@dataclass
class Block:
    """Some records in order: JSON documents, and the defect of those that have one by position."""

    documents: list[bytes] = field(default_factory=list)
    defects: dict[int, str] = field(default_factory=dict)

    def add_defect(self, document: bytes, defect: str) -> None:
        """Append a defective record."""
        self.defects[len(self.documents)] = defect
        self.documents.append(document)

    def table(self) -> pa.Table:
        """The records as a chunk without ordinals."""
        rows = len(self.documents)
        text = pa.array(self.documents, pa.binary()).cast(pa.string())
        defects = [self.defects.get(at) for at in range(rows)] if self.defects else None
        reasons = pa.nulls(rows, pa.string()) if defects is None else pa.array(defects, pa.string())
        return pa.table({"document": text, "defect": reasons})


@dataclass(frozen=True)
class Limits:
    """What a record may look like before it is set aside."""

    encoding: str
    max_cell_bytes: int

    def flaw(self, values: Iterable[str | None], raw: str | None = None) -> str | None:
        """Why values that could be split cannot be kept as they are, or None."""
        if raw is not None and has_surrogates(raw):
            return f"not {self.encoding} text"
        for value in values:
            if value is None:
                continue
            if "\0" in value:
                return "NUL byte"
            # A character has at most 4 bytes; most cells need no counting.
            if len(value) * 4 > self.max_cell_bytes and len(value.encode()) > self.max_cell_bytes:
                return f"cell larger than {self.max_cell_bytes} bytes"
        return None

    def raw_document(self, raw: str) -> bytes:
        """The document of a defective record: its text, or the beginning of it with length and hash."""
        if len(raw) * 4 <= self.max_cell_bytes and raw.isascii():
            return orjson.dumps({"_raw": raw})
        content = original_bytes(raw, self.encoding)
        whole = len(content) <= self.max_cell_bytes
        kept = raw if whole else raw[:PREFIX_CHARACTERS]
        document = {"_raw": kept}
        if has_surrogates(kept):
            document["_raw"] = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in kept)
            document["_raw_base64"] = base64.b64encode(original_bytes(kept, self.encoding)).decode()
        if not whole:
            document |= {"_raw_bytes": str(len(content)), "_raw_sha256": hashlib.sha256(content).hexdigest()}
        return orjson.dumps(document)

    def long_line(self, line: LongLine, block: Block) -> None:
        """Append a line that was too long to be read as a whole."""
        beginning = orjson.loads(self.raw_document(line.beginning))
        document = beginning | {"_raw_bytes": str(line.size), "_raw_sha256": line.sha256}
        block.add_defect(orjson.dumps(document), f"record larger than {line.limit} bytes")


def in_chunks(blocks: Iterator[Block | pa.Table], limits: Limits, chunk_rows: int) -> Iterator[pa.Table]:
    """The records as chunks (`stores/raw_chunks.py`), numbered from 0; what ends them early becomes the last.

    A table among the blocks is a chunk without ordinals.
    """
    waiting: list[pa.Table] = []
    rows = size = ordinal = 0
    for block in _with_last_record(blocks, limits):
        records = block.table() if isinstance(block, Block) else block
        if records.num_rows:
            waiting.append(records)
        rows += records.num_rows
        size += records.nbytes
        while rows >= chunk_rows or (rows and size >= CHUNK_BYTES):
            whole = pa.concat_tables(waiting, promote_options="default")
            yield _numbered(whole.slice(0, chunk_rows), ordinal)
            ordinal += min(chunk_rows, rows)
            rest = whole.slice(chunk_rows)
            rows, size = rest.num_rows, rest.nbytes
            waiting = [rest] if rows else []
    if rows:
        yield _numbered(pa.concat_tables(waiting, promote_options="default"), ordinal)


def _with_last_record(
    blocks: Iterator[Block | pa.Table], limits: Limits
) -> Iterator[Block | pa.Table]:
    try:
        yield from blocks
    except Unreadable as end:
        last = Block()
        last.add_defect(limits.raw_document(end.rest), f"unreadable: {end.reason}")
        yield last


def _numbered(records: pa.Table, first: int) -> pa.Table:
    ordinals = pa.array(np.arange(first, first + records.num_rows, dtype=np.int64))
    return records.combine_chunks().add_column(0, RAW_SCHEMA.field("ordinal"), ordinals)
