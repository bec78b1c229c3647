"""Reads the table declarations that lie beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from marketing_platform.catalog.model import Table

_TABLES = Path(__file__).parent / "tables"


@cache
def tables() -> dict[str, Table]:
    """Every canonical table by name, in the order of the file names."""
    found = {}
    for path in sorted(_TABLES.glob("*.yaml")):
        declared = Table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        if declared.name != path.stem:
            raise ValueError(f"{path}: declares the table {declared.name!r}; name the file after it")
        found[declared.name] = declared
    return found


def table(name: str) -> Table:
    """The canonical table `name`; KeyError lists the known ones."""
    try:
        return tables()[name]
    except KeyError:
        raise KeyError(f"no table {name!r}; there are: {', '.join(tables())}") from None
