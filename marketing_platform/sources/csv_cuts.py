"""Where the records of separated text end, told from the places of its quotes and line ends.

What a record holds is of no interest here, nor what becomes of one that is not well quoted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LF, _CR = ord("\n"), ord("\r")


@dataclass(frozen=True)
class Run:
    """Records in a row that are well quoted, and why they end."""

    ends: np.ndarray  # behind the line end of each
    unfinished: bool  # what follows may be well quoted, too, but has no end yet


class Cuts:
    """Bytes that end with a line end, every CR of which belongs to a CRLF."""

    def __init__(self, content: bytes, delimiter: str, quote: str | None) -> None:
        self._bytes = np.frombuffer(content, np.uint8)
        self._line_ends = np.flatnonzero(self._bytes == _LF)
        self._delimiter = ord(delimiter)
        self._quote = ord(quote) if quote else None
        self._quotes = (
            np.flatnonzero(self._bytes == self._quote) if self._quote else np.array([], np.int64)
        )

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
            return Run(ends[: too_large[0]], unfinished=False)
        return Run(ends, unfinished=broken is None)

    def _misplaced(self, quotes: np.ndarray, start: int) -> int | None:
        """Where the first quote stands that neither opens nor closes a cell, if there is one."""
        opening, closing = quotes[0::2], quotes[1::2]
        # The last byte is a line end, so that each quote has a byte behind it.
        before, behind = self._bytes[opening - 1], self._bytes[closing + 1]
        opens = (before == self._delimiter) | (before == _LF) | (before == self._quote) | (opening == start)
        closes = (behind == self._delimiter) | (behind == _LF) | (behind == _CR) | (behind == self._quote)
        wrong = [found[0] for found in (opening[~opens], closing[~closes]) if len(found)]
        return int(min(wrong)) if wrong else None
