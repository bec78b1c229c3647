"""Reports: JSON files that people open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import orjson

from marketing_platform.defs.io_managers.versions import NAME, input_name, output_name


class ReportIOManager(dg.IOManager):
    """Stores a JSON document as an indented file, complete or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def handle_output(self, context: dg.OutputContext, obj: dict[str, Any]) -> None:
        """Write the report."""
        name = output_name(context)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.json"
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_bytes(orjson.dumps(obj, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        unfinished.replace(path)
        context.add_output_metadata({NAME: name, "path": dg.MetadataValue.path(path), "report": dg.MetadataValue.json(obj)})

    def load_input(self, context: dg.InputContext) -> dict[str, Any]:
        """The upstream report."""
        return orjson.loads((self._folder / f"{input_name(context)}.json").read_bytes())
