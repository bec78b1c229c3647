"""Tables as bytes, for rows of a job whose cells are tables."""

from __future__ import annotations

import pyarrow as pa

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


def to_stream(table: pa.Table) -> bytes:
    """The table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def from_stream(content: bytes) -> pa.Table:
    """The other direction."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
