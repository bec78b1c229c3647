"""Reads `features/*.yaml`: one file per entity; names that the catalog must know.

The shape belongs to `spec.py`, files and messages to `marketing_platform/declarations.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from marketing_platform.catalog import ColumnType, Table, tables
from marketing_platform.declarations import Choice as PartChoice
from marketing_platform.declarations import (
    Declaration,
    KeyPath,
    Problem,
    load_declaration,
    one_of,
)
from marketing_platform.errors import FeatureError
from marketing_platform.features.spec import (
    ENTITIES,
    FEATURES,
    Amount,
    Centroid,
    Choice,
    Entity,
    Feature,
    FeatureFile,
    Features,
    Filtered,
)
from marketing_platform.recommenders.rules.loading import unfit_values
from marketing_platform.recommenders.rules.spec import Condition

_NUMBERS = frozenset({ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.MONEY})
# What columns of results are called besides.
RESERVED = ("at", "as_of", "pair", "moment")
# The texts that have vectors, and whose centroids `user_vectors` keeps.
_EMBEDDED: tuple[Entity, str, str] = ("user", "events", "message")


def load_features(directory: Path) -> dict[Entity, Features]:
    """The features of every entity; none for an entity without a file.

    Raises:
        FeatureError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    files: dict[str, Entity] = {f"{entity}s.yaml": entity for entity in ENTITIES}
    wrong: list[str] = []
    for path in sorted(directory.glob("*.y*ml")):
        if path.name not in files:
            expected, found = one_of(path.name, files)
            wrong.append(f"{path}:1: expected the file to be {expected}, found {found}")
    loaded: dict[Entity, Features] = {entity: Features(entity) for entity in ENTITIES}
    for name, entity in files.items():
        path = directory / name
        if path.exists():
            try:
                loaded[entity] = Features(entity, load_declaration(path, _declaration(entity)).features)
            except FeatureError as error:
                wrong.append(str(error))
    if wrong:
        raise FeatureError("\n".join(wrong))
    return loaded


def moments(table: Table) -> str | None:
    """The column that says when a row of the table came true; None when it has no exact moment."""
    exact = table.time is not None and table.column(table.time).type is ColumnType.TIMESTAMP
    return table.time if exact else None


def _declaration(entity: Entity) -> Declaration[FeatureFile]:
    return Declaration(FeatureFile, FeatureError, _part_at, partial(_problems, entity))


def _part_at(path: KeyPath) -> PartChoice | type[BaseModel] | None:
    return {2: PartChoice("aggregate", FEATURES), 4: Condition}.get(len(path))


def _problems(entity: Entity, data: Mapping[str, Any], declared: FeatureFile | None) -> Iterator[Problem]:
    """What is wrong across keys and with names; only seen once the shape is right."""
    if declared is None:
        return
    key = Features(entity).key
    sources = [one.name for one in tables().values() if moments(one) and key in one.column_names]
    first: dict[str, int] = {}
    for index, feature in enumerate(declared.features):
        path: KeyPath = ("features", index)
        before = first.setdefault(feature.name, index)
        if before != index:
            found = f"{feature.name!r}, which features.{before} has too"
            yield Problem((*path, "name"), "a name of its own", found)
        if feature.name in (key, *RESERVED):
            yield Problem((*path, "name"), "another name", f"{feature.name!r}, which is a column already")
        if feature.table not in sources:
            expected, found = one_of(feature.table, sources)
            yield Problem((*path, "from"), f"{expected} (the tables with {key} and a moment)", found)
        else:
            yield from _unfit(path, entity, feature, data["features"][index])


def _unfit(path: KeyPath, entity: Entity, feature: Feature, written: Mapping[str, Any]) -> Iterator[Problem]:
    source = tables()[feature.table]
    if isinstance(feature, Amount):
        numbers = [column.name for column in source.columns if column.type in _NUMBERS]
        whole = [column.name for column in source.columns if column.type is ColumnType.INTEGER]
        if feature.column not in numbers:
            yield Problem((*path, "column"), *one_of(feature.column, numbers))
        if feature.times is not None and feature.times not in whole:
            yield Problem((*path, "times"), *one_of(feature.times, whole))
    if isinstance(feature, Choice):
        yield from _unfit_column(path, source, feature.column)
    if isinstance(feature, Centroid) and (entity, feature.table, feature.column) != _EMBEDDED:
        found = f"{feature.table}.{feature.column} of a {entity}"
        yield Problem((*path, "column"), "events.message of a user, the texts that have vectors", found)
    if isinstance(feature, Filtered):
        for name, condition in (feature.where or {}).items():
            if name not in source.column_names:
                yield Problem((*path, "where", name), *one_of(name, source.column_names))
            else:
                column = source.column(name)
                yield from unfit_values((*path, "where", name), column, condition, written["where"][name])


def _unfit_column(path: KeyPath, source: Table, written: str) -> Iterator[Problem]:
    other, _, name = written.rpartition(".")
    if not other:
        if name not in source.column_names:
            yield Problem((*path, "column"), *one_of(name, source.column_names))
        return
    named = [one.name for one in tables().values() if len(one.key) == 1 and one.key[0] in source.column_names]
    named = [one for one in named if one != source.name]
    if other not in named:
        expected, found = one_of(other, named)
        yield Problem((*path, "column"), f"{expected} (what rows of {source.name} name)", found)
    elif name not in tables()[other].column_names:
        yield Problem((*path, "column"), *one_of(name, tables()[other].column_names))
