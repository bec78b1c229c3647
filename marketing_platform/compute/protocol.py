"""What assets ask of whatever computes: the same answers, on one machine or on many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from marketing_platform.encoders import Encoder
from marketing_platform.gates import Split, Suites
from marketing_platform.sources import SourceSpec
from marketing_platform.stores.protocols import Warehouse


class Compute(Protocol):
    """Where validation, SQL and encoding are done."""

    def warehouse(self, warehouse: Warehouse) -> Warehouse:
        """A warehouse that keeps everything in `warehouse` and computes what it `create`s here."""
        ...

    def encoder(self, encoder: Callable[[], Encoder]) -> Encoder:
        """What encodes as the encoder of the settings does; `encoder` opens that one in this process."""
        ...

    def sift(
        self, chunks: Iterable[pa.Table], batch_id: str, spec: SourceSpec, suites: Suites, landed_at: datetime
    ) -> Iterator[Split]:
        """Raw records (RAW_SCHEMA) typed, judged and divided, in order of ordinal."""
        ...
