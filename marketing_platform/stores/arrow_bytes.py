"""Arrow tables and schemas as bytes, for a store's or a job's fields that hold them.

Stores keep these bytes: what `table_from` and `schema_from` read must stay readable. Files of tables are
Parquet and do not belong here.
"""

from __future__ import annotations

import pyarrow as pa


def table_bytes(table: pa.Table) -> bytes:
    """The table as an Arrow stream of one batch, compressed by zstd."""
    sink = pa.BufferOutputStream()
    # The fastest level; the ones above save a few percent. Callers have threads of their own.
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1), use_threads=False)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def table_from(content: bytes) -> pa.Table:
    """What `table_bytes` wrote; any Arrow stream is read."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()


def schema_bytes(schema: pa.Schema) -> bytes:
    """The schema, its metadata included, as a message of Arrow's own format."""
    return schema.serialize().to_pybytes()


def schema_from(content: bytes) -> pa.Schema:
    """What `schema_bytes` wrote."""
    return pa.ipc.read_schema(pa.py_buffer(content))
