"""Separated text in UTF-8, cut into records on its bytes: several times faster than line by line.

Records that are plainly good become columns at once. Whatever is not (a quote out of place, a wrong
number of cells, bytes that are no text, a cell that is too large) goes through the `Splitter` of
`csv_records.py`, which alone decides what becomes of it; so a file gives the same records here as there.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv

from marketing_platform.sources.csv_cuts import BOM, Cuts, Records
from marketing_platform.sources.csv_records import LOOK_AHEAD_LINES, Splitter, with_splitter
from marketing_platform.sources.records import Block, Limits
from marketing_platform.sources.spec import CsvFormat
from marketing_platform.sources.text import (
    PIECE_BYTES,
    Unreadable,
    byte_pieces,
    decoded,
    text_lines,
    whole_lines,
)
from marketing_platform.stores.raw_chunks import FIELDS, fields_type

# How much of a record without an end is waited for, before the splitter decides.
_UNFINISHED_LINES = 64
_UNFINISHED_BYTES = PIECE_BYTES
# After so many misplaced quotes the splitter takes the rest of a piece: cutting it anew each time costs more.
_BREAKS = 32


def cut_by_bytes(layout: CsvFormat) -> bool:
    """Whether the layout is one that `csv_tables` reads."""
    marks = layout.delimiter + (layout.quote or "")
    return layout.encoding.lower() in ("utf-8", "utf8") and layout.escape is None and marks.isascii()


def csv_tables(
    stream: BinaryIO, layout: CsvFormat, fields: Sequence[str], limits: Limits
) -> Iterator[Block | pa.Table]:
    """The records of separated text, in order: chunks without ordinals, and blocks of the others.

    Raises:
        Unreadable: As `csv_blocks`.
    """
    reader = _Reader(layout, fields, limits)
    pieces = _whole_pieces(byte_pieces(stream, layout.compression))
    pending = b""
    try:
        for piece in pieces:
            content = pending + piece if pending else piece
            end = content.rfind(b"\n") + 1
            whole = content[:end]
            if len(content) - end > _UNFINISHED_BYTES:
                yield from reader.by_lines(chain([content], pieces))
                return
            used = yield from reader.take(whole)
            pending = content[used:]
    except Unreadable as error:
        yield from reader.by_lines(_then(pending, error))
    else:
        yield from reader.by_lines(iter([pending]))


def _whole_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces without the byte order mark that the first may start with."""
    first = next(pieces, b"")
    while 0 < len(first) < len(BOM):
        more = next(pieces, b"")
        if not more:
            break
        first += more
    yield first.removeprefix(BOM)
    yield from pieces


def _then(pending: bytes, error: Unreadable) -> Iterator[bytes]:
    yield pending
    raise error


class _Reader:
    """Takes bytes that end with a line end; knows the header and what the splitter holds back."""

    def __init__(self, layout: CsvFormat, fields: Sequence[str], limits: Limits) -> None:
        self._layout = layout
        self._limits = limits
        self._splitter = Splitter(layout, fields, limits)

    def by_lines(self, pieces: Iterator[bytes]) -> Iterator[Block]:
        """What the splitter makes of everything that is left."""
        limit = self._limits.max_cell_bytes
        lines = text_lines(decoded(pieces, "utf-8"), encoding="utf-8", max_cell_bytes=limit)
        yield from with_splitter(lines, self._splitter)

    def take(self, content: bytes) -> Generator[Block | pa.Table, None, int]:
        """The records that end within `content`; returns where the first begins that does not."""
        if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
            yield self._split(content)
            return len(content)
        at = yield from self._until_aligned(content, 0)
        cuts = Cuts(content, self._layout.delimiter, self._layout.quote)
        breaks = 0
        while at < len(content):
            if breaks == _BREAKS:
                yield self._split(content[at:])
                return len(content)
            run = cuts.run(at, max_bytes=self._limits.max_cell_bytes, max_lines=LOOK_AHEAD_LINES)
            if len(run.records.ends):
                yield from self._run(run.records)
                at = int(run.records.ends[-1])
            if at == len(content) or (run.unfinished and self._may_wait(content[at:])):
                break
            breaks += 1
            at = yield from self._until_aligned(content, at, at_least_one=True)
        return at

    def _may_wait(self, unfinished: bytes) -> bool:
        return len(unfinished) < _UNFINISHED_BYTES and unfinished.count(b"\n") < _UNFINISHED_LINES

    def _until_aligned(
        self, content: bytes, at: int, *, at_least_one: bool = False
    ) -> Generator[Block, None, int]:
        """Give the splitter lines until it knows the header and holds none back; returns where that is."""
        count = 1
        while at < len(content) and (self._behind or at_least_one):
            end = at
            for _ in range(count):
                end = content.find(b"\n", end) + 1 or len(content)
            yield self._split(content[at:end])
            at, count, at_least_one = end, min(count * 8, LOOK_AHEAD_LINES), False
        return at

    @property
    def _behind(self) -> bool:
        return self._splitter.names is None or bool(self._splitter.open_lines)

    def _split(self, content: bytes | memoryview) -> Block:
        lines = whole_lines(content, max_cell_bytes=self._limits.max_cell_bytes)
        return self._splitter.take(lines.lines, careful=lines.careful)

    def _run(self, records: Records) -> Iterator[Block | pa.Table]:
        """Well quoted records."""
        names = self._splitter.names or []
        if len(names) == 1:  # a blank line may then be an empty cell
            yield self._split(records.joined(np.arange(len(records.ends))))
            return
        blank, odd = records.blank(), records.odd()
        plain = np.flatnonzero(~(blank | odd))
        fields, wrong_width = self._parsed(records.joined(plain), names)
        odd[plain[wrong_width]] = True
        nothing = pa.nulls(len(fields), pa.string())
        good = pa.table({"document": nothing, "defect": nothing, FIELDS: fields})
        others = np.flatnonzero(odd & ~blank)
        if not len(others):
            yield good
            return
        block = self._split(records.joined(others))
        if self._splitter.open_lines or len(block.documents) != len(others):
            raise RuntimeError("records that end with their lines were cut in two ways")
        places = np.concatenate([np.delete(plain, wrong_width), others])
        together = pa.concat_tables([good, block.table()], promote_options="default")
        yield together.take(pa.array(np.argsort(places)))

    def _parsed(self, content: memoryview, names: Sequence[str]) -> tuple[pa.StructArray, list[int]]:
        """The cells of records, and which records (their places) are left out: too few or too many cells."""
        kind = fields_type(names)
        if not content:
            return pa.array([], kind), []
        wrong: list[int] = []

        def skip(row: pv.InvalidRow) -> str:
            wrong.append(row.number - 1)
            return "skip"

        table = pv.read_csv(
            pa.BufferReader(pa.py_buffer(content)),
            read_options=pv.ReadOptions(
                use_threads=False, column_names=list(names), block_size=len(content) + 1
            ),
            parse_options=pv.ParseOptions(
                delimiter=self._layout.delimiter,
                quote_char=self._layout.quote or False,
                newlines_in_values=True,
                invalid_row_handler=skip,
            ),
            convert_options=pv.ConvertOptions(
                check_utf8=False,  # what is no text is not among them
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
            ),
        )
        columns = [column.combine_chunks() for column in table.columns]
        return pa.StructArray.from_arrays(columns, type=kind), wrong
