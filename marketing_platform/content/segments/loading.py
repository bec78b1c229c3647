"""Reads `segments/*.yaml`: one file per segment; names and values that columns must know.

The shape belongs to `spec.py`, files and messages to `marketing_platform/declarations.py`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from marketing_platform.catalog import ColumnType
from marketing_platform.content.segments.spec import (
    OF_ROWS,
    OF_USER,
    Bought,
    Criteria,
    Segment,
    SegmentFile,
    leaves,
)
from marketing_platform.declarations import Declaration, KeyPath, Problem, load_declaration, one_of, show
from marketing_platform.errors import SegmentError
from marketing_platform.features.spec import Features
from marketing_platform.recommenders.rules.loading import unfit_values
from marketing_platform.recommenders.rules.spec import Condition

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}\.yaml")
_WHO = "who"
MOST_VALUES = 1_000  # of one condition
_LARGEST = 10**12
_YEARS = range(1900, 2201)
_DAY = len("2026-11-21")
_DATED = frozenset({ColumnType.DATE, ColumnType.TIMESTAMP})


def load_segments(directory: Path, *, features: Features | None = None) -> dict[str, Segment]:
    """The segments of a folder by name, in order of name; none when there is no such folder.

    Args:
        directory: Where the files lie.
        features: What is declared of users; without it conditions on features are not looked at, which
            is enough for who only asks which segments there are.

    Raises:
        SegmentError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    found: dict[str, Segment] = {}
    wrong: list[str] = []
    for path in sorted(directory.glob("*.y*ml")):
        if not _NAME.fullmatch(path.name):
            expected = "a file called by the segment: a-z, 0-9 and _, beginning with a letter, and .yaml"
            wrong.append(f"{path}:1: expected {expected}, found {path.name!r}")
            continue
        try:
            file = load_declaration(path, _declaration(features))
        except SegmentError as error:
            wrong.append(str(error))
        else:
            found[path.stem] = Segment(path.stem, file.description, file.who)
    if wrong:
        raise SegmentError("\n".join(wrong))
    return found


def read_criteria(written: Mapping[str, Any], features: Features) -> tuple[Criteria, dict[str, Any]]:
    """Criteria of a JSON document, and the same as plain data: days and moments are text there.

    Names and values are not looked at yet: see `unfit`.

    Raises:
        pydantic.ValidationError: They are none, too many or too deep.
    """
    plain = copy.deepcopy(dict(written))
    for leaf in leaves(SegmentFile(description="-", who=Criteria.model_validate(plain)).who, features):
        there: Any = plain
        for key in leaf.path:
            there = there[key]
        for name in leaf.conditions:
            if name in leaf.columns and leaf.columns[name].type in _DATED:
                there[name] = _dates(there[name])
    return Criteria.model_validate(plain), plain


def unfit(
    who: Criteria, written: Mapping[str, Any], features: Features | None, path: KeyPath = ()
) -> Iterator[Problem]:
    """Names that no column has, and values that none of the column can be.

    Args:
        who: The criteria.
        written: The same as plain data, as somebody wrote them.
        features: What is declared of users.
        path: Where they stand.
    """
    for leaf in leaves(who, features):
        there: Any = written
        for key in leaf.path:
            there = there[key]
        for name, condition in leaf.conditions.items():
            here = (*path, *leaf.path, name)
            if name not in leaf.columns:
                yield Problem(here, *one_of(name, leaf.columns))
            else:
                yield from unfit_values(here, leaf.columns[name], condition, there[name])
                yield from _unbounded(here, condition)


def _unbounded(path: KeyPath, condition: Condition) -> Iterator[Problem]:
    """Values that engines could not compare, or that nobody means."""
    listed = [*(condition.one_of or ()), *(condition.none_of or ())]
    if len(listed) > MOST_VALUES:
        yield Problem(path, f"at most {MOST_VALUES} values", f"{len(listed)}")
    for value in (*listed, condition.at_least, condition.at_most):
        if isinstance(value, int | float) and not abs(value) <= _LARGEST:  # false for NaN
            yield Problem(path, f"a number up to {_LARGEST:,}", show(value))
        if isinstance(value, date) and value.year not in _YEARS:
            yield Problem(path, f"a date from {_YEARS.start} to {_YEARS.stop - 1}", show(value))


def _dates(value: Any) -> Any:
    """Text that is a day or a moment as such; anything else as it is."""
    if isinstance(value, Mapping):
        return {key: _dates(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_dates(each) for each in value]
    if isinstance(value, str):
        try:
            return date.fromisoformat(value) if len(value) == _DAY else datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


def _declaration(features: Features | None) -> Declaration[SegmentFile]:
    return Declaration(SegmentFile, SegmentError, _part_at, partial(_problems, features))


def _part_at(path: KeyPath) -> type[BaseModel] | None:
    if path == (_WHO,) or (path and isinstance(path[-1], int)):
        return Criteria
    if path and path[-1] == "bought":
        return Bought
    inside = path[-2] if len(path) > 1 else None
    return Condition if inside in (*OF_USER, *OF_ROWS, "where") else None


def _problems(
    features: Features | None, data: Mapping[str, Any], declared: SegmentFile | None
) -> Iterator[Problem]:
    if declared is not None:
        yield from unfit(declared.who, data[_WHO], features, (_WHO,))
