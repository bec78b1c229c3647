"""Landed bytes as raw records, whatever the layout. What a record means belongs to `projection.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from marketing_platform.sources.csv_records import csv_blocks
from marketing_platform.sources.csv_tables import csv_tables, cut_by_bytes
from marketing_platform.sources.json_records import json_blocks, ndjson_blocks
from marketing_platform.sources.parquet_records import parquet_blocks
from marketing_platform.sources.records import Block, Limits, in_chunks
from marketing_platform.sources.spec import CsvFormat, NdjsonFormat, ParquetFormat, SourceSpec
from marketing_platform.sources.text import text_lines, text_pieces


def read_rows(
    stream: BinaryIO, spec: SourceSpec, *, chunk_rows: int, max_cell_bytes: int
) -> Iterator[pa.Table]:
    """Every record of a landed object exactly once, as chunks in either form of `stores/raw_chunks.py`.

    Ordinals count from 0 without gaps. Content never raises: a record that cannot be split into its
    fields has a `defect` and its raw text in the document, and where an object cannot be read on, one
    last record with a defect `unreadable: …` stands for the rest. Memory is bounded by `chunk_rows`
    and `CHUNK_BYTES`, whatever the size of the object.

    Args:
        stream: The bytes; Parquet is copied to a temporary file when they cannot be sought in.
        spec: How they are laid out.
        chunk_rows: Rows per table at most.
        max_cell_bytes: A longer cell makes its record defective.
    """
    encoding = "utf-8" if isinstance(spec.format, ParquetFormat) else spec.format.encoding
    limits = Limits(encoding, max_cell_bytes)
    return in_chunks(_blocks(stream, spec, limits), limits, chunk_rows)


def _blocks(stream: BinaryIO, spec: SourceSpec, limits: Limits) -> Iterator[Block | pa.Table]:
    layout = spec.format
    if isinstance(layout, ParquetFormat):
        return parquet_blocks(stream, spec.fields, limits)
    if isinstance(layout, CsvFormat) and cut_by_bytes(layout):
        return csv_tables(stream, layout, spec.fields, limits)
    pieces = text_pieces(stream, encoding=layout.encoding, compression=layout.compression)
    lines = text_lines(pieces, encoding=layout.encoding, max_cell_bytes=limits.max_cell_bytes)
    if isinstance(layout, CsvFormat):
        return csv_blocks(lines, layout, spec.fields, limits)
    if isinstance(layout, NdjsonFormat):
        return ndjson_blocks(lines, limits, layout.defect_field)
    return json_blocks(pieces, limits)
