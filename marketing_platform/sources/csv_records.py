"""Separated text as records; the standard library's csv module is the tokenizer.

It runs in strict mode, so that a quote that is never closed shows at the next quote instead of
swallowing the rows in between.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from marketing_platform.sources.records import Block, Limits
from marketing_platform.sources.spec import CsvFormat
from marketing_platform.sources.text import Lines, LongLine, Unreadable

# How far a quoted cell is followed before its quote counts as unclosed. Besides this number of
# lines, `max_cell_bytes` characters.
LOOK_AHEAD_LINES = 1000


def csv_blocks(
    pieces: Iterator[Lines | LongLine], layout: CsvFormat, fields: Sequence[str], limits: Limits
) -> Iterator[Block]:
    """The records of separated text.

    Raises:
        Unreadable: No header, a header without one of `fields`, or as `text_lines`.
    """
    yield from with_splitter(pieces, Splitter(layout, fields, limits))


def with_splitter(pieces: Iterator[Lines | LongLine], splitter: Splitter) -> Iterator[Block]:
    """What a splitter that may have taken lines before makes of the rest; raises as `csv_blocks`."""
    try:
        for piece in pieces:
            if isinstance(piece, LongLine):
                yield splitter.take_long_line(piece)
            else:
                yield splitter.take(piece.lines, careful=piece.careful)
    except Unreadable as end:
        raise Unreadable(end.reason, "".join(splitter.open_lines) + end.rest) from None
    yield splitter.finish()


@dataclass(frozen=True)
class _Break:
    """Why a window could not be read to its end."""

    lines: int  # that the broken record reaches over
    open: bool  # it would go on behind the window


class Splitter:
    """Cuts lines into records; keeps the lines of a record that has not ended yet (`open_lines`)."""

    def __init__(self, layout: CsvFormat, fields: Sequence[str], limits: Limits) -> None:
        self.open_lines: list[str] = []
        self._careful = False
        self._fields = fields
        self._limits = limits
        self._to_skip = layout.skip_rows
        self._names: list[str] | None = None if layout.header is True else list(layout.header)
        quoting = csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE
        self._dialect: dict[str, Any] = {
            "delimiter": layout.delimiter,
            "quotechar": layout.quote,
            "escapechar": layout.escape,
            "quoting": quoting,
            "strict": True,
        }
        # The module's own limit is one for the whole process; lines are bounded before they get here.
        csv.field_size_limit(max(csv.field_size_limit(), 1 << 30))

    @property
    def names(self) -> list[str] | None:
        """The fields of a record; None before the header was taken."""
        return self._names

    def take(self, lines: list[str], *, careful: bool) -> Block:
        """The records that end within these lines."""
        if self._to_skip:
            skipped = min(self._to_skip, len(lines))
            self._to_skip -= skipped
            lines = lines[skipped:]
        self._careful = careful or (bool(self.open_lines) and self._careful)
        return self._split(self._held_back() + lines, final=False)

    def take_long_line(self, line: LongLine) -> Block:
        """A line too long to be split ends whatever was open."""
        if self._to_skip:
            self._to_skip -= 1
            return Block()
        block = self._split(self._held_back(), final=True)
        if self._names is None:
            raise Unreadable(f"the header is a line of {line.size} bytes", line.beginning)
        self._limits.long_line(line, block)
        return block

    def finish(self) -> Block:
        """What is left when the text ends."""
        block = self._split(self._held_back(), final=True)
        if self._names is None:
            raise Unreadable("empty file, expected a header")
        return block

    def _held_back(self) -> list[str]:
        """The open lines, which are now somebody else's to keep."""
        held, self.open_lines = self.open_lines, []
        return held

    def _split(self, lines: list[str], *, final: bool) -> Block:
        block = Block()
        start = 0
        while start < len(lines):
            window = lines[start : start + LOOK_AHEAD_LINES]
            used, error = self._read_window(window, block)
            start += used
            if error is None:
                continue
            # The record at `start` does not end in this window, or not as it should.
            if error.open and used:
                continue  # once more, with the whole look-ahead before it
            if error.open and not final and self._may_go_on(lines[start:]):
                break
            if self._names is None:  # nothing behind a header without an end can be read
                raise Unreadable("the header is no record (unclosed quote)", "".join(lines[start:]))
            unclosed = error.open or error.lines > 1
            self._add_defect(
                block, lines[start], "unclosed quote" if unclosed else "text after a closing quote"
            )
            start += 1
        self.open_lines = lines[start:]
        return block

    def _may_go_on(self, lines: list[str]) -> bool:
        return len(lines) < LOOK_AHEAD_LINES and sum(map(len, lines)) < self._limits.max_cell_bytes

    def _read_window(self, window: list[str], block: Block) -> tuple[int, _Break | None]:
        """Append the window's records; returns how many lines they took and why it stopped early."""
        reader = csv.reader(window, **self._dialect)
        documents, dumps = block.documents, orjson.dumps
        start = 0
        if self._names is None:
            start, broken = self._read_header(reader, window)
            if broken is not None or self._names is None:
                return start, broken
        names, width, careful = self._names, len(self._names), self._careful
        try:
            for row in reader:
                end = reader.line_num
                if len(row) == width and not careful and end - start == 1:
                    documents.append(dumps(dict(zip(names, row, strict=True))))
                elif row:
                    self._add_with_care(block, row, window[start:end])
                start = end
        except csv.Error as error:
            return start, _Break(reader.line_num - start, "unexpected end of data" in str(error))
        return start, _Break(len(window) - start, open=True) if start < len(window) else None

    def _read_header(self, reader: Any, window: list[str]) -> tuple[int, _Break | None]:
        """Take the names from the first record that is not blank."""
        start = 0
        try:
            for row in reader:
                if row:
                    self._take_names(row, "".join(window[start : reader.line_num]))
                    return reader.line_num, None
                start = reader.line_num
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return start, _Break(reader.line_num - start, open=True)
            raise Unreadable(f"the header is no record ({error})", window[start]) from None
        return start, None

    def _take_names(self, row: Sequence[str], raw: str) -> None:
        flaw = self._limits.flaw(row, raw)
        if flaw is not None:
            raise Unreadable(f"the header is damaged ({flaw})", raw)
        names = field_names(row)
        missing = [name for name in self._fields if name not in names]
        if missing:
            raise Unreadable(f"header lacks the field(s) {', '.join(missing)}", raw)
        self._names = names

    def _add_with_care(self, block: Block, row: Sequence[str], lines: Iterable[str]) -> None:
        """Append a record that is not plainly good."""
        assert self._names is not None  # noqa: S101 -- the header comes first
        raw = "".join(lines)
        width = len(self._names)
        flaw = self._limits.flaw(row, raw)
        if len(row) != width and (flaw is None or not flaw.startswith("not ")):
            flaw = "too few columns" if len(row) < width else "too many columns"
        if flaw is not None:
            self._add_defect(block, raw, flaw)
        else:
            block.documents.append(orjson.dumps(dict(zip(self._names, row, strict=True))))

    def _add_defect(self, block: Block, raw: str, defect: str) -> None:
        block.add_defect(self._limits.raw_document(raw.rstrip("\r\n")), defect)


def field_names(row: Sequence[str]) -> list[str]:
    """Distinct names for the cells of a header: `column_3` for an empty one, `x_2` for a second `x`."""
    names: list[str] = []
    taken = {cell.strip() for cell in row}
    for position, cell in enumerate(row, start=1):
        base = cell.strip() or f"column_{position}"
        name, count = base, 2
        while name in names or (name != cell.strip() and name in taken):
            name, count = f"{base}_{count}", count + 1
        names.append(name)
    return names
