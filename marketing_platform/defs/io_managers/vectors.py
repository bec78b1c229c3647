"""Vector collections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name
from marketing_platform.stores.protocols import Vectors


@dataclass(frozen=True)
class Collection:
    """Vectors to store: chunks with record_id, user_id, text_embedding."""

    chunks: Iterable[pa.Table]
    dim: int
    model: str
    base: str | None  # a collection that holds most of it already


class VectorsIOManager(dg.IOManager):
    """Stores a `Collection`; loads its name, since vectors are searched where they are."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def handle_output(self, context: dg.OutputContext, obj: Collection) -> None:
        """Write the collection."""
        name = output_name(context)
        rows = self._vectors.write(name, obj.chunks, dim=obj.dim, base=obj.base)
        context.add_output_metadata(
            {NAME: name, "dagster/row_count": rows, "dim": obj.dim, "model": obj.model}
        )

    def load_input(self, context: dg.InputContext) -> str:
        """The name of the upstream collection."""
        return input_name(context)
