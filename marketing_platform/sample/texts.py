"""Arrays of values as the text of a field, before any file layout; everything is vectorised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.sample.chance import Ints

# pyarrow ships no types: this is a pyarrow.StringArray to people and Any to the type checker.
Texts: TypeAlias = Any
compute: Any = pc

_DAY = 86_400
_EPOCH = date(1970, 1, 1)


def chosen(texts: Sequence[str], places: Ints) -> Texts:
    """`texts[place]` for each place; a negative place gives an empty text."""
    return pa.array([*texts, ""], pa.string()).take(pa.array(np.where(places < 0, len(texts), places)))


def constant(text: str, count: int) -> Texts:
    """The same text in every row."""
    return pa.repeat(pa.scalar(text), count)


def joined(*parts: Texts | str) -> Texts:
    """The parts of each row behind each other."""
    return compute.binary_join_element_wise(*parts, "")


def numbers(values: Ints, width: int = 1) -> Texts:
    """Whole numbers, with leading zeros up to `width`."""
    plain = compute.cast(pa.array(values), pa.string())
    return plain if width == 1 else compute.utf8_lpad(plain, width, "0")


def decimals(cents: Ints, mark: str = ".") -> Texts:
    """Amounts of 0 or more with two decimals."""
    return joined(numbers(cents // 100), mark, numbers(cents % 100, 2))


def moments(seconds: Ints, pattern: str | None = None) -> Texts:
    """Seconds since 1970 as `2026-03-01 12:00:00`, or in the given `strftime` pattern."""
    stamps = pa.array(seconds, pa.timestamp("s"))
    return compute.cast(stamps, pa.string()) if pattern is None else compute.strftime(stamps, pattern)


def second_of(day: date) -> int:
    """Midnight UTC of `day` in seconds since 1970."""
    return (day - _EPOCH).days * _DAY


def quoted(texts: Texts) -> Texts:
    """CSV fields in double quotes; an empty text stays empty."""
    return _distinct(texts, lambda text: '"' + text.replace('"', '""') + '"' if text else "")


def json(texts: Texts) -> Texts:
    """JSON strings; an empty text becomes `null`."""
    return _distinct(texts, lambda text: orjson.dumps(text or None).decode())


def _distinct(texts: Texts, change: Callable[[str], str]) -> Texts:
    encoded: Any = texts.dictionary_encode()
    return pa.array([change(text) for text in encoded.dictionary.to_pylist()], pa.string()).take(
        encoded.indices
    )
