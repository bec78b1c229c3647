"""Reports: JSON documents that people open."""

from __future__ import annotations

from typing import Any

import dagster as dg

from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name
from marketing_platform.stores.protocols import Reports

# Key of the metadata that holds the document itself.
DOCUMENT = "report"


class ReportIOManager(dg.IOManager):
    """Stores and loads a JSON document."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def handle_output(self, context: dg.OutputContext, obj: dict[str, Any]) -> None:
        """Write the report and show it in the UI."""
        name = output_name(context)
        location = self._reports.write(name, obj)
        context.add_output_metadata(
            {NAME: name, "path": dg.MetadataValue.path(location), DOCUMENT: dg.MetadataValue.json(obj)}
        )

    def load_input(self, context: dg.InputContext) -> dict[str, Any]:
        """The upstream report."""
        return self._reports.read(input_name(context))
