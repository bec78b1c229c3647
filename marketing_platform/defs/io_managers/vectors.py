"""Vector collections."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from marketing_platform.defs.io_managers.reuse import KeepingIOManager
from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name
from marketing_platform.stores.protocols import VectorChange, Vectors
from marketing_platform.stores.vector_recall import LIMIT, recall_of


@dataclass(frozen=True)
class Collection:
    """Vectors to store: `read` gives chunks with record_id, user_id, text_embedding, as often as asked.

    `change` says the same by how it differs from what is stored already.
    """

    read: Callable[[], Iterable[pa.Table]]
    dim: int
    model: str
    change: VectorChange | None


class VectorsIOManager(KeepingIOManager):
    """Stores a `Collection`; loads its name, since vectors are searched where they are."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def store(self, context: dg.OutputContext, obj: Collection) -> None:
        """Write the collection, and measure how much of it its index finds."""
        name = output_name(context)
        rows = self._vectors.write(name, obj.read(), dim=obj.dim, change=obj.change)
        recall = recall_of(self._vectors, name, obj.read)
        context.add_output_metadata(
            {
                NAME: name,
                "dagster/row_count": rows,
                "dim": obj.dim,
                "model": obj.model,
                f"recall_at_{LIMIT}": recall.share,
                "recall_measured": recall.how,
            }
        )

    def holds(self, name: str) -> bool:
        """Whether the store has it."""
        return name in self._vectors.names()

    def load_input(self, context: dg.InputContext) -> str:
        """The name of the upstream collection."""
        return input_name(context)
