"""Parquet rows as records: every value becomes text without loss."""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from marketing_platform.sources.records import Block, Limits
from marketing_platform.sources.text import Unreadable

_BATCH_ROWS = 8192
_SPOOL_BYTES = 64 << 20


def parquet_blocks(stream: BinaryIO, fields: Sequence[str], limits: Limits) -> Iterator[Block]:
    """The rows of a Parquet file.

    Raises:
        Unreadable: No Parquet (any more), or a schema without one of `fields`.
    """
    try:
        file = pq.ParquetFile(_seekable(stream), pre_buffer=False, buffer_size=1 << 20)
        missing = [name for name in fields if name not in _names(file.schema_arrow)]
        if missing:
            raise Unreadable(f"header lacks the field(s) {', '.join(missing)}")
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            yield _block(batch, limits)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"no Parquet data from here on ({str(error).splitlines()[0][:200]})") from None


def _seekable(stream: BinaryIO) -> BinaryIO:
    if stream.seekable():
        return stream
    copy = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 -- lives as long as the reader
    shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return cast(BinaryIO, copy)


def _names(schema: pa.Schema) -> list[str]:
    return _flat(schema.empty_table()).column_names


def _flat(table: pa.Table) -> pa.Table:
    """Struct columns as dotted columns, at every depth."""
    while any(pt.is_struct(column.type) for column in table.schema):
        table = table.flatten()
    return table


def _block(batch: pa.RecordBatch, limits: Limits) -> Block:
    table = _flat(pa.Table.from_batches([batch]))
    columns = [_texts(column.combine_chunks()) for column in table.columns]
    names = table.column_names
    careful = any(_needs_care(column, limits.max_cell_bytes) for column in columns)
    values = [_decoded(column) if careful else column.to_pylist() for column in columns]
    block = Block()
    for row in zip(*values, strict=True) if values else ((),) * batch.num_rows:
        flaw = limits.flaw(row, "".join(filter(None, row))) if careful else None
        if flaw is None:
            block.documents.append(orjson.dumps(dict(zip(names, row, strict=True))))
        else:
            whole = {name: _printable(value) for name, value in zip(names, row, strict=True)}
            block.add_defect(limits.raw_document(orjson.dumps(whole).decode()), flaw)
    return block


def _texts(column: Any) -> Any:
    """The column as strings."""
    kind = column.type
    if pt.is_dictionary(kind):
        return _texts(column.dictionary_decode())
    if pt.is_duration(kind):
        return column.cast(pa.int64()).cast(pa.string())
    if pt.is_nested(kind):
        return pa.array(
            [None if value is None else _json(value) for value in column.to_pylist()], pa.string()
        )
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind):
        return pa.array([_text_or_base64(value) for value in column.to_pylist()], pa.string())
    texts = column.cast(pa.string())
    if pt.is_timestamp(kind):
        # Arrow writes every digit the unit has, whatever there is to say.
        texts = pc.replace_substring_regex(texts, r"\.0+(Z|[+-]\d{4})?$", r"\1")
        texts = pc.replace_substring_regex(texts, r"(\.\d*[1-9])0+(Z|[+-]\d{4})?$", r"\1\2")
    return texts


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()


def _text_or_base64(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _needs_care(column: Any, max_cell_bytes: int) -> bool:
    """Whether a cell may be too long, contain NUL, or be no UTF-8 although its type says so."""
    content = b"".join(bytes(part) for part in column.buffers()[2:] if part is not None)
    if b"\0" in content or len(content) > max_cell_bytes:
        return True
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return True
    return False


def _decoded(column: Any) -> list[str | None]:
    values = column.cast(pa.binary()).to_pylist()
    return [None if value is None else value.decode("utf-8", "surrogateescape") for value in values]


def _printable(value: str | None) -> str | None:
    return None if value is None else value.encode("utf-8", "replace").decode()
