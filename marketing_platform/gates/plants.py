"""The vocabulary of planted examples: how to spoil a good sample so that one rule must notice.

Plain changes to rows of text, nothing else: which rule must notice is for `trial.py`, good rows
are data in `good_rows.yaml`, and the examples themselves stand beside their rules in
`expectations/`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, RootModel

# As many rows as it takes for one wrong record to stay below the 5 % that a batch may have.
SAMPLE_ROWS = 100
SPOILT_ROW = 42
_GOOD_ROWS = Path(__file__).parent / "good_rows.yaml"

Row = dict[str, str | None]


class _Plant(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Cells(RootModel[dict[str, str | None]]):
    """`{column: text or null}`: these cells of one good row."""

    model_config = ConfigDict(frozen=True)
    root: dict[str, str | None] = Field(min_length=1)


class Repeat(_Plant):
    """`{"repeat": n}`: the first n rows land once more."""

    repeat: int = Field(ge=1, le=SAMPLE_ROWS)


class Every(_Plant):
    """`{"every": {column: text or null}}`: these cells of every row."""

    every: dict[str, str | None] = Field(min_length=1)


class BreakShare(_Plant):
    """`{"break_share": 0.06}`: this share of the records is wrong in one cell."""

    break_share: float = Field(gt=0, le=1)


class Truncate(_Plant):
    """`{"truncate": n}`: the object is gzipped and its last n bytes never arrived."""

    truncate: int = Field(ge=1)


class Lose(_Plant):
    """`{"lose": n}`: n valid records disappear on their way; only a faulty job does this, no file."""

    lose: int = Field(ge=1)


TablePlant = Repeat | Every
BatchPlant = BreakShare | Truncate | Lose
Plant = Cells | TablePlant | BatchPlant


def good_rows(table: str, *, now: datetime, count: int = SAMPLE_ROWS) -> list[Row]:
    """`count` rows of text that no rule minds, in the columns of `table`."""
    recent = (now - timedelta(days=1)).isoformat(timespec="seconds")
    pattern = _patterns()[table]
    return [
        {
            column: None if text is None else text.format(n=n, recent=recent)
            for column, text in pattern.items()
        }
        for n in range(count)
    ]


def spoil(rows: Iterable[Mapping[str, str | None]], plant: Cells | TablePlant) -> list[Row]:
    """The rows with the example planted; only the row `SPOILT_ROW` changes for a row's plant."""
    good = [dict(row) for row in rows]
    match plant:
        case Cells(root=cells):
            good[SPOILT_ROW].update(cells)
        case Repeat(repeat=count):
            good.extend(dict(row) for row in good[:count])
        case Every(every=cells):
            good = [row | cells for row in good]
    return good


def ndjson(rows: Iterable[Mapping[str, str | None]]) -> bytes:
    """The rows as a landed object, one JSON object per line."""
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def truncated(content: bytes, size: int) -> bytes:
    """The gzipped object without its last `size` bytes."""
    return gzip.compress(content, mtime=0)[:-size]


@cache
def _patterns() -> dict[str, Row]:
    return yaml.safe_load(_GOOD_ROWS.read_text(encoding="utf-8"))
