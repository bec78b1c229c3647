"""Enriched documents: sets that are written once, whatever release they are part of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import dagster as dg
import pyarrow as pa

from marketing_platform.catalog import Table
from marketing_platform.defs.io_managers.versions import latest_metadata
from marketing_platform.defs.metadata import column_schema
from marketing_platform.stores.protocols import EnrichedDocuments

_SETS = "sets"


@dataclass(frozen=True)
class DocumentSets:
    """For each set something that yields its rows when called; a name stands for one content."""

    readers: Mapping[str, Callable[[], Iterable[pa.Table]]]
    table: Table  # what a document consists of


class EnrichedIOManager(dg.IOManager):
    """Stores those of the `DocumentSets` that are not there yet; loads the names of all."""

    def __init__(self, enriched: EnrichedDocuments) -> None:
        self._enriched = enriched

    def handle_output(self, context: dg.OutputContext, obj: DocumentSets) -> None:
        """Write the sets that are missing, each as a whole."""
        there = set(self._enriched.names())
        new = {name: read for name, read in obj.readers.items() if name not in there}
        written = {name: self._enriched.write(name, read()) for name, read in new.items()}
        total = sum(written[name] if name in new else self._enriched.count(name) for name in obj.readers)
        context.add_output_metadata(
            {
                _SETS: dg.MetadataValue.json(list(obj.readers)),
                "dagster/row_count": total,
                "sets_written": len(written),
                "documents_written": sum(written.values()),
                "dagster/column_schema": column_schema(obj.table.arrow_schema, obj.table),
            }
        )

    def load_input(self, context: dg.InputContext) -> tuple[str, ...]:
        """The names of the upstream sets."""
        return latest_sets(context.instance, context.asset_key.path[-1])


def latest_sets(instance: dg.DagsterInstance, asset: str) -> tuple[str, ...]:
    """The sets that the latest materialization consists of; UnknownName before the first."""
    return tuple(cast("list[str]", latest_metadata(instance, asset)[_SETS].value))
