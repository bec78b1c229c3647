"""How a row becomes an enriched document, the same in every store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

_MOMENT = pa.timestamp("ms", tz="UTC")  # MongoDB's dates hold no more


def documents_of(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Each row without its nulls; moments to the millisecond."""
    for place, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type):
            moments = rows[column.name].cast(_MOMENT, safe=False)
            rows = rows.set_column(place, pa.field(column.name, _MOMENT), moments)
    names = rows.column_names
    for batch in rows.to_batches():
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield {name: value for name, value in zip(names, row, strict=True) if value is not None}
