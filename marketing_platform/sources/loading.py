"""Reads source declarations and says exactly where one is wrong.

The shape of a declaration belongs to `spec.py`, what must hold across its keys to `consistency.py`;
how files become messages is the same for all declarations (`marketing_platform/declarations.py`).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from marketing_platform.declarations import Choice, Declaration, KeyPath, load_declaration
from marketing_platform.errors import SourceError
from marketing_platform.sources.consistency import inconsistencies
from marketing_platform.sources.spec import FORMATS, ColumnSpec, SourceSpec, TableSpec


def load_sources(directory: Path) -> tuple[SourceSpec, ...]:
    """Every source declared in `directory` (`*.yaml`), in order of file name.

    Raises:
        SourceError: At least one declaration is wrong. The message has one line per problem of every
            file: `file:line: key path: expected …, found …`.
    """
    if not directory.is_dir():
        raise SourceError(f"{directory}: expected a folder of source declarations, found none")
    specs: dict[str, tuple[SourceSpec, Path]] = {}
    problems: list[str] = []
    for path in sorted(directory.glob("*.yaml")):
        try:
            spec = load_source(path)
        except SourceError as error:
            problems.append(str(error))
            continue
        if spec.name in specs:
            first = specs[spec.name][1]
            problems.append(
                f"{path}:1: source: expected a name of its own, found {spec.name!r} which {first} has too"
            )
        specs.setdefault(spec.name, (spec, path))
    if problems:
        raise SourceError("\n".join(problems))
    return tuple(spec for spec, _ in specs.values())


def load_source(path: Path) -> SourceSpec:
    """The source declared in one file.

    Raises:
        SourceError: One line per problem.
    """
    return load_declaration(path, _SOURCE)


def _part_at(path: KeyPath) -> Choice | type[BaseModel] | None:
    if path == ("format",):
        return Choice("type", FORMATS)
    return {2: TableSpec, 4: ColumnSpec}.get(len(path))


_SOURCE = Declaration(SourceSpec, SourceError, _part_at, inconsistencies)
