"""Reports: JSON documents that people open."""

from __future__ import annotations

from typing import Any

import dagster as dg
import orjson

from marketing_platform.defs.io_managers.reuse import KeepingIOManager, set_data_version
from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name
from marketing_platform.stores.protocols import Reports

# Key of the metadata that holds the document itself.
DOCUMENT = "report"


class ReportIOManager(KeepingIOManager):
    """Stores and loads a JSON document."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def store(self, context: dg.OutputContext, obj: dict[str, Any]) -> None:
        """Write the report and show it in the UI."""
        name = output_name(context)
        set_data_version(context.step_context, context.asset_key, orjson.dumps(obj))
        location = self._reports.write(name, obj)
        context.add_output_metadata(
            {NAME: name, "path": dg.MetadataValue.path(location), DOCUMENT: dg.MetadataValue.json(obj)}
        )

    def holds(self, name: str) -> bool:
        """Whether the store has it."""
        return name in self._reports.names()

    def load_input(self, context: dg.InputContext) -> dict[str, Any]:
        """The upstream report."""
        return self._reports.read(input_name(context))
