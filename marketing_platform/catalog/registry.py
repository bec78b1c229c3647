"""Reads declarations of tables: the canonical ones beside this module, and others of their kind."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml

from marketing_platform.catalog.model import Table

_TABLES = Path(__file__).parent / "tables"
Declared = TypeVar("Declared", bound=Table)


@cache
def tables() -> dict[str, Table]:
    """Every canonical table by name, in the order of the file names."""
    return declared_in(_TABLES, Table)


def declared_in(folder: Path, kind: type[Declared]) -> dict[str, Declared]:
    """The declarations of one kind in a folder, a YAML file each, by name; ValueError when misnamed."""
    found: dict[str, Declared] = {}
    for path in sorted(folder.glob("*.yaml")):
        declared = kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
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
