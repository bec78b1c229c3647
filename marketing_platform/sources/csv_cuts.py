"""Where the records of separated text end, told from the places of its quotes and line ends.

What a record holds is of interest here only as far as it keeps Arrow from reading it as the splitter does;
what becomes of such a record is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

BOM = b"\xef\xbb\xbf"
_LF, _CR, _LAST_ASCII = ord("\n"), ord("\r"), 127
_CRLF_BYTES = 2


@dataclass(frozen=True)
class Records:
    """Records in a row, each with the line end that ends it."""

    content: bytes
    starts: np.ndarray
    ends: np.ndarray  # the first byte behind each

    def blank(self) -> np.ndarray:
        """Which are a line end and nothing else; they count for nothing."""
        size = self.ends - self.starts
        only_crlf = (size == _CRLF_BYTES) & (np.frombuffer(self.content, np.uint8)[self.starts] == _CR)
        return (size == 1) | only_crlf

    def odd(self) -> np.ndarray:
        """Which Arrow cannot read: NUL bytes, bytes that are no UTF-8, and what may be a byte order mark."""
        first, end = int(self.starts[0]), int(self.ends[-1])
        seen = np.frombuffer(self.content, np.uint8)
        odd = seen[self.starts] == BOM[0]
        if self.content.find(b"\0", first, end) >= 0:
            odd[self._holding(np.flatnonzero(seen[first:end] == 0) + first)] = True
        if not _is_text(memoryview(self.content)[first:end]):
            beyond_ascii = np.flatnonzero(seen[first:end] > _LAST_ASCII) + first
            wrong = [at for at in np.unique(self._holding(beyond_ascii)) if not _is_text(self._one(at))]
            odd[wrong] = True
        return odd

    def joined(self, chosen: np.ndarray) -> memoryview:
        """These records (their places, in order) one after the other; copied only where some are left out."""
        if not len(chosen):
            return memoryview(b"")
        gaps = np.flatnonzero(np.diff(chosen) != 1)
        first, last = chosen[np.append(0, gaps + 1)], chosen[np.append(gaps, len(chosen) - 1)]
        view = memoryview(self.content)
        runs = [view[start:end] for start, end in zip(self.starts[first], self.ends[last], strict=True)]
        return runs[0] if len(runs) == 1 else memoryview(b"".join(runs))

    def _holding(self, places: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.ends, places, side="right")

    def _one(self, at: int) -> memoryview:
        return memoryview(self.content)[self.starts[at] : self.ends[at]]


@dataclass(frozen=True)
class Run:
    """Records that are well quoted, and why they end."""

    records: Records
    unfinished: bool  # what follows may be well quoted, too, but has no end yet


class Cuts:
    """Bytes that end with a line end, every CR of which belongs to a CRLF."""

    def __init__(self, content: bytes, delimiter: str, quote: str | None) -> None:
        self._content = content
        self._bytes = np.frombuffer(content, np.uint8)
        self._line_ends = np.flatnonzero(self._bytes == _LF)
        self._delimiter = ord(delimiter)
        self._quote = ord(quote) if quote else None
        self._quotes = np.flatnonzero(self._bytes == self._quote) if quote else np.array([], np.int64)

    def run(self, start: int, *, max_bytes: int, max_lines: int) -> Run:
        """The well quoted records from `start` on, up to one that is not, is too large, or has no end.

        A record is well quoted when each quote opens a cell, closes one, or is one of two in a quoted cell.
        """
        lines = self._line_ends[np.searchsorted(self._line_ends, start) :]
        quotes = self._quotes[np.searchsorted(self._quotes, start) :]
        broken = self._misplaced(quotes, start)
        ends_record = np.searchsorted(quotes, lines) % 2 == 0
        if broken is not None:
            ends_record &= lines < broken
        ends = lines[ends_record] + 1
        height = np.diff(np.flatnonzero(ends_record), prepend=-1)
        size = np.diff(ends, prepend=start)
        too_large = np.flatnonzero((height > max_lines) | (size > max_bytes))
        if len(too_large):
            ends = ends[: too_large[0]]
        starts = np.append(start, ends[:-1])[: len(ends)]
        return Run(Records(self._content, starts, ends), unfinished=broken is None and not len(too_large))

    def _misplaced(self, quotes: np.ndarray, start: int) -> int | None:
        """Where the first quote stands that neither opens nor closes a cell, if there is one."""
        opening, closing = quotes[0::2], quotes[1::2]
        # The last byte is a line end, so that each quote has a byte behind it.
        before, behind = self._bytes[opening - 1], self._bytes[closing + 1]
        opens = (before == self._delimiter) | (before == _LF) | (before == self._quote) | (opening == start)
        closes = (behind == self._delimiter) | (behind == _LF) | (behind == _CR) | (behind == self._quote)
        wrong = [found[0] for found in (opening[~opens], closing[~closes]) if len(found)]
        return int(min(wrong)) if wrong else None


def _is_text(content: memoryview) -> bool:
    ends = pa.array([0, len(content)], pa.int32()).buffers()[1]
    value = pa.Array.from_buffers(pa.binary(), 1, [None, ends, pa.py_buffer(content)])
    try:
        value.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True
