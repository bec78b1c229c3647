"""Columns of JSON text: documents for a block of users are put together by Arrow, column by column.

To make objects in Python for every figure of every user takes ten times as long as to compute the
figures. So what may be said (ids, names, sentences) is encoded once, taken by number, and joined with
figures. How an answer looks is defined in `answers.py`; which fields it has is the caller's business.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.recommenders.answers import FIGURE_DIGITS

# A column of texts, each of them JSON or a part of it.
Text = pa.StringArray
# What stands beside each other in each row; to join it early would copy it once more.
Parts = tuple["Part", ...]
Part = Text | str | Parts


def encoded(values: Iterable[Any]) -> Text:
    """Each value as JSON; the surrogates of UTF-16 are no text, as everywhere in Arrow."""
    return pa.array([orjson.dumps(value) for value in values], pa.string())


def figures(values: np.ndarray) -> Text:
    """Numbers as `answers.Figure` rounds them; all are finite."""
    return pc.cast(pa.array(np.round(values.astype(np.float64), FIGURE_DIGITS)), pa.string())


def flags(values: np.ndarray) -> Text:
    """`true` and `false`."""
    return pc.cast(pa.array(values, pa.bool_()), pa.string())


def taken(vocabularies: Sequence[Text], places: np.ndarray) -> Text:
    """What stands at these places, where one vocabulary follows another."""
    return pa.concat_arrays(vocabularies).take(pa.array(places))


def joined(*parts: Part) -> Text:
    """What stands beside each other, row by row; a `str` stands in every row."""
    return pc.binary_join_element_wise(*_flat(parts), "")


def fields(given: Mapping[str, Part]) -> Parts:
    """`"name":value,…` for each row: an object without its braces, for others to stand beside."""
    names = (f"{',' if number else ''}{orjson.dumps(name).decode()}:" for number, name in enumerate(given))
    return tuple(part for pair in zip(names, given.values(), strict=True) for part in pair)


def objects(given: Mapping[str, Part]) -> Parts:
    """A JSON object for each row, its fields in this order; a `str` is the JSON of every row."""
    return ("{", *fields(given), "}")


def arrays(elements: Text, sizes: np.ndarray) -> Parts:
    """JSON arrays of so many of the elements each, as they come."""
    return ("[", runs(elements, sizes, ","), "]")


def runs(elements: Text, sizes: np.ndarray, between: str) -> Text:
    """So many of the elements each, as they come, as one text."""
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), elements), between)


def _flat(parts: Iterable[Part]) -> Iterator[Text | str]:
    for part in parts:
        if isinstance(part, tuple):
            yield from _flat(part)
        else:
            yield part
