"""Bytes of a landed object as text: decompressed, decoded and cut into lines, piece by piece.

Bytes that the encoding does not know are no error here: each becomes one lone surrogate
(U+DC00 + byte), which no decoder produces otherwise, so that only the record around it suffers
and its bytes can be given back.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

PIECE_BYTES = 1 << 20
# Small, so that little has to be read a second time where the data is corrupt.
_GZIP_STEP = 1 << 15
_GZIP_MAGIC = b"\x1f\x8b"
_KEEP_BYTES = "marketing_platform_keep_bytes"
_BYTE_BASE = 0xDC00


class Unreadable(Exception):
    """The object cannot be read on from here; `rest` is text that was read but is in no record."""

    def __init__(self, reason: str, rest: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.rest = rest


@dataclass(frozen=True)
class LongLine:
    """A line of more than `limit` bytes, of which only the beginning is kept."""

    beginning: str
    size: int  # bytes
    sha256: str
    limit: int


@dataclass(frozen=True)
class Lines:
    """Complete lines with their ends; `careful` when one may hold NUL, undecoded bytes or a long cell."""

    lines: list[str]
    careful: bool


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(chr(_BYTE_BASE + byte) for byte in wrong), error.end


codecs.register_error(_KEEP_BYTES, _keep_bytes)


def has_surrogates(text: str) -> bool:
    """Whether the text holds bytes that could not be decoded, or halves of characters."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def original_bytes(text: str, encoding: str) -> bytes:
    """The bytes that were decoded to `text`; UTF-16 and UTF-32 come back little-endian."""
    name = codecs.lookup(encoding).name
    name = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)
    if not has_surrogates(text):
        return text.encode(name, "replace")
    return b"".join(
        bytes(ord(character) - _BYTE_BASE for character in run) if undecoded else run.encode(name, "replace")
        for undecoded, run in _runs(text)
    )


def _runs(text: str) -> Iterator[tuple[bool, str]]:
    start, kind = 0, False
    for position, character in enumerate(text):
        is_byte = _BYTE_BASE <= ord(character) < _BYTE_BASE + 256
        if is_byte != kind:
            if position > start:
                yield kind, text[start:position]
            start, kind = position, is_byte
    if start < len(text):
        yield kind, text[start:]


def text_pieces(stream: BinaryIO, *, encoding: str, compression: str) -> Iterator[str]:
    """The decoded text without a byte order mark.

    Raises:
        Unreadable: The compressed data is cut off or corrupt; everything before it has been given.
    """
    at_start = True
    for text in decoded(byte_pieces(stream, compression), encoding):
        piece, at_start = text.removeprefix("\ufeff") if at_start else text, False
        if piece:
            yield piece


def decoded(pieces: Iterator[bytes], encoding: str) -> Iterator[str]:
    """As `text_pieces`, from bytes that are decompressed; a byte order mark stays."""
    decoder = codecs.getincrementaldecoder(encoding)(_KEEP_BYTES)
    failure: Unreadable | None = None
    while True:
        try:
            piece = next(pieces, None)
        except Unreadable as error:
            failure, piece = error, None
        text = _decode(decoder, piece or b"", final=piece is None)
        if text:
            yield text
        if failure is not None:
            raise failure
        if piece is None:
            return


def _decode(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool) -> str:
    try:
        return decoder.decode(piece, final)
    except UnicodeError as error:
        # UTF-16 and UTF-32 without the byte order mark they insist on.
        raise Unreadable(f"no text in the declared encoding ({error})") from None


def byte_pieces(stream: BinaryIO, compression: str) -> Iterator[bytes]:
    """The decompressed bytes, in pieces of about PIECE_BYTES; raises as `text_pieces`."""
    first = stream.read(PIECE_BYTES)
    if compression == "gzip" or (compression == "auto" and first.startswith(_GZIP_MAGIC)):
        yield from _gunzip(stream, first)
        return
    while first:
        yield first
        first = stream.read(PIECE_BYTES)


def _gunzip(stream: BinaryIO, piece: bytes) -> Iterator[bytes]:
    """Every member of a gzip stream; never more than one piece in memory, whatever it unpacks to."""
    member = zlib.decompressobj(wbits=31)
    taken = 0
    waiting = piece
    while waiting:
        piece, waiting = waiting[:_GZIP_STEP], waiting[_GZIP_STEP:]
        before = member.copy()
        try:
            unpacked = member.decompress(piece, PIECE_BYTES)
        except zlib.error as error:
            yield from _until_it_breaks(before, piece)
            raise Unreadable(f"gzip data is corrupt behind byte {taken} ({error})") from None
        if unpacked:
            yield unpacked
        rest = member.unused_data if member.eof else member.unconsumed_tail
        taken += len(piece) - len(rest)
        waiting = rest + waiting or stream.read(PIECE_BYTES)
        if member.eof:
            # Tools pad with zeros behind the last member.
            waiting = waiting.lstrip(b"\0")
            if not waiting:
                return
            member = zlib.decompressobj(wbits=31)
    raise Unreadable(f"gzip data is cut off after byte {taken}")


def _until_it_breaks(member: Any, piece: bytes) -> Iterator[bytes]:
    """What a corrupt piece still gives; zlib returns nothing from the call that fails."""
    for position in range(len(piece)):
        try:
            yield member.decompress(piece[position : position + 1])
        except zlib.error:
            return


def text_lines(pieces: Iterator[str], *, encoding: str, max_cell_bytes: int) -> Iterator[Lines | LongLine]:
    """The text cut at LF, CRLF and CR.

    Raises:
        Unreadable: As `text_pieces`; `rest` is the line that has no end.
    """
    limit = line_limit(max_cell_bytes)
    pending = ""
    try:
        for piece in pieces:
            text = pending + piece
            if len(text) - len(piece) > limit and not _has_line_end(piece):
                # Nothing but one endless line so far.
                pending = ""
                text = yield from _long_line(text, pieces, encoding, limit)
            lines = _cut(text)
            # A CR at the end of a piece may be half of a CRLF.
            pending = lines.pop() if lines and not lines[-1].endswith("\n") else ""
            if lines:
                yield Lines(lines, _needs_care(text, lines, max_cell_bytes))
    except Unreadable as error:
        raise Unreadable(error.reason, pending + error.rest) from None
    if pending:
        yield Lines([pending], _needs_care(pending, [pending], max_cell_bytes))


def whole_lines(content: bytes | memoryview, *, max_cell_bytes: int) -> Lines:
    """UTF-8 that ends with a line end, cut as `text_lines` cuts it."""
    text = str(content, "utf-8", _KEEP_BYTES)
    lines = _cut(text)
    return Lines(lines, _needs_care(text, lines, max_cell_bytes))


def _cut(text: str) -> list[str]:
    """Its lines with their ends: LF, CRLF or CR."""
    return io.StringIO(text, newline="").readlines()


def line_limit(max_cell_bytes: int) -> int:
    """How long a line may be that is still split into cells."""
    return max(16 * max_cell_bytes, PIECE_BYTES)


def _has_line_end(text: str) -> bool:
    return "\n" in text or "\r" in text


def _needs_care(text: str, lines: list[str], max_cell_bytes: int) -> bool:
    return "\0" in text or max(map(len, lines)) * 4 > max_cell_bytes or has_surrogates(text)


def _long_line(text: str, pieces: Iterator[str], encoding: str, limit: int) -> Generator[LongLine, None, str]:
    """Read a line to its end without keeping it; returns the text behind it."""
    beginning, digest, size, end = text[:2048], hashlib.sha256(), 0, -1
    while text and end < 0:
        end = min((at for at in (text.find("\n"), text.find("\r")) if at >= 0), default=-1)
        content = original_bytes(text if end < 0 else text[:end], encoding)
        digest.update(content)
        size += len(content)
        if end < 0:
            try:
                text = next(pieces, "")
            except Unreadable as error:
                raise Unreadable(error.reason, beginning) from None
    yield LongLine(beginning, size, digest.hexdigest(), limit)
    return text[end:] if text else ""
