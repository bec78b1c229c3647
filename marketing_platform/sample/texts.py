"""Arrays of values as the text of a field, before any file layout; everything is vectorised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.sample.chance import Ints

_DAY = 86_400
_EPOCH = date(1970, 1, 1)


def chosen(texts: Sequence[str], places: Ints) -> pa.StringArray:
    """`texts[place]` for each place; a negative place gives an empty text."""
    return pa.array([*texts, ""], pa.string()).take(pa.array(np.where(places < 0, len(texts), places)))


def constant(text: str, count: int) -> pa.StringArray:
    return pa.repeat(pa.scalar(text), count)


def joined(*parts: pa.StringArray | str) -> pa.StringArray:
    """The parts of each row behind each other."""
    return pc.binary_join_element_wise(*parts, "")


def numbers(values: Ints, width: int = 1) -> pa.StringArray:
    """Whole numbers, with leading zeros up to `width`."""
    plain = pc.cast(pa.array(values), pa.string())
    return plain if width == 1 else pc.utf8_lpad(plain, width, "0")


def decimals(cents: Ints, mark: str = ".") -> pa.StringArray:
    """Amounts of 0 or more with two decimals."""
    return joined(numbers(cents // 100), mark, numbers(cents % 100, 2))


def moments(seconds: Ints, pattern: str | None = None) -> pa.StringArray:
    """Seconds since 1970 as `2026-03-01 12:00:00`, or in the given `strftime` pattern."""
    stamps = pa.array(seconds, pa.timestamp("s"))
    return pc.cast(stamps, pa.string()) if pattern is None else pc.strftime(stamps, pattern)


def second_of(day: date) -> int:
    """Midnight UTC of `day` in seconds since 1970."""
    return (day - _EPOCH).days * _DAY


def day_at(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()


def quoted(texts: pa.StringArray) -> pa.StringArray:
    """CSV fields in double quotes; an empty text stays empty."""
    return _distinct(texts, lambda text: '"' + text.replace('"', '""') + '"' if text else "")


def json(texts: pa.StringArray) -> pa.StringArray:
    """JSON strings; an empty text becomes `null`."""
    return _distinct(texts, lambda text: orjson.dumps(text or None).decode())


def _distinct(texts: pa.StringArray, change: Callable[[str], str]) -> pa.StringArray:
    encoded: Any = texts.dictionary_encode()
    return pa.array([change(text) for text in encoded.dictionary.to_pylist()], pa.string()).take(
        encoded.indices
    )
