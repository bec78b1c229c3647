"""Everything in this process, as it is unless `MARKETING_COMPUTE` says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import pyarrow as pa

from marketing_platform.encoders import Encoder
from marketing_platform.gates import Split, Suites
from marketing_platform.ingestion.validation import sift_all
from marketing_platform.sources import SourceSpec
from marketing_platform.stores.protocols import Warehouse


class Here:
    """Implements `Compute`: SQL runs in the warehouse's own engine, the rest in Python."""

    def warehouse(self, warehouse: Warehouse) -> Warehouse:
        return warehouse

    def encoder(self, encoder: Callable[[], Encoder]) -> Encoder:
        return encoder()

    def sift(
        self, chunks: Iterable[pa.Table], batch_id: str, spec: SourceSpec, suites: Suites, landed_at: datetime
    ) -> Iterator[Split]:
        return sift_all(chunks, batch_id, spec, suites, landed_at)
