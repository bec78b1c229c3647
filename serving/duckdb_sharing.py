"""One DuckDB for all requests, with what they may take together."""

from __future__ import annotations

from marketing_platform.stores.warehouse_duckdb import Connect, sharing


def shared_duckdb(memory_limit: str) -> Connect:
    """A way to connect to one database of this size; parts never change: their last pages are read once."""
    return sharing("SET parquet_metadata_cache = true", memory_limit=memory_limit)
