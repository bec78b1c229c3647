"""JSON objects as records: one per line, or the elements of one array.

The standard library's decoder hands over the text of numbers, which faster ones turn into binary
numbers: `0.10` and `1e999` have to arrive as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson

from marketing_platform.sources.records import Block, Limits
from marketing_platform.sources.text import Lines, LongLine, Unreadable, line_limit

_SPACE = " \t\r\n"
_BLOCK_RECORDS = 1000


class _Number(str):
    """The text of a number."""

    __slots__ = ()


class _Repeated(dict[str, Any]):
    """An object one of whose keys was written twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Repeated(found)


_DECODER = json.JSONDecoder(
    parse_float=_Number, parse_int=_Number, parse_constant=_Number, object_pairs_hook=_object
)


class _Defect(Exception):
    """Why a value is no record."""


def ndjson_blocks(
    pieces: Iterator[Lines | LongLine], limits: Limits, defect_field: str | None = None
) -> Iterator[Block]:
    """One record per line that is not blank; a text in `defect_field` is the defect of its record.

    Raises:
        Unreadable: As `text_lines`.
    """
    for piece in pieces:
        block = Block()
        if isinstance(piece, LongLine):
            limits.long_line(piece, block)
        else:
            for line in piece.lines:
                raw = line.strip(_SPACE)
                if raw:
                    _add_line(block, raw, limits, defect_field, careful=piece.careful)
        yield block


def _add_line(block: Block, raw: str, limits: Limits, defect_field: str | None, *, careful: bool) -> None:
    try:
        value = _DECODER.decode(raw)
    except ValueError:
        flaw = limits.flaw((), raw) or ("NUL byte" if "\0" in raw else "invalid JSON")
        block.add_defect(limits.raw_document(raw), flaw)
    except RecursionError:
        block.add_defect(limits.raw_document(raw), "invalid JSON")
    else:
        told = value.get(defect_field) if defect_field and isinstance(value, dict) else None
        _add_value(block, value, raw, limits, careful=careful, told=told if isinstance(told, str) else None)


def json_blocks(pieces: Iterator[str], limits: Limits) -> Iterator[Block]:
    """The elements of one JSON array.

    Raises:
        Unreadable: There is no array, it ends early or cannot be read on, or as `text_pieces`.
    """
    array = _Array(pieces, line_limit(limits.max_cell_bytes))
    block = Block()
    try:
        for value, raw in array.elements():
            _add_value(block, value, raw, limits, careful=True)
            if len(block.documents) == _BLOCK_RECORDS:
                yield block
                block = Block()
    except Unreadable:
        yield block
        raise
    yield block


class _Array:
    """A JSON array in pieces of text, of which about one element is held at a time."""

    def __init__(self, pieces: Iterator[str], limit: int) -> None:
        self._pieces = pieces
        self._limit = limit
        self._text = ""
        self._at = 0
        self._failure: Unreadable | None = None
        self._ended = False

    def elements(self) -> Iterator[tuple[Any, str]]:
        """Each element and its text."""
        if self._next_character() != "[":
            found = "empty file" if self._at >= len(self._text) else "no JSON array"
            raise self._unreadable(f"{found}, expected a JSON array of objects")
        self._at += 1
        count = 0
        while self._next_character() != "]" or count:
            start_of = f"the JSON array cannot be read on from record {count}"
            yield self._element(start_of)
            count += 1
            separator = self._next_character()
            if separator == "]":
                break
            if separator != ",":
                raise self._unreadable(f"the JSON array ends early, after record {count - 1}")
            self._at += 1
        self._at += 1
        if self._next_character():
            raise self._unreadable("text behind the JSON array")

    def _element(self, otherwise: str) -> tuple[Any, str]:
        self._next_character()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                end = len(self._text)
                value = Unreadable
            # A number at the end of the text may go on in the next piece.
            if end == len(self._text) and len(self._text) - self._at <= self._limit and self._more():
                continue
            if value is Unreadable:
                raise self._unreadable(otherwise)
            raw, self._at = self._text[self._at : end], end
            return value, raw

    def _next_character(self) -> str:
        """The next character that is no blank, without taking it; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        if self._ended:
            return False
        try:
            piece = next(self._pieces, "")
        except Unreadable as error:
            self._failure, piece = error, ""
        self._ended = not piece
        self._text, self._at = self._text[self._at :] + piece, 0
        return not self._ended

    def _unreadable(self, reason: str) -> Unreadable:
        """What ended the array: the compressed data, if that broke, else the JSON itself."""
        rest = self._text[self._at :]
        return Unreadable(self._failure.reason if self._failure else reason, rest)


def _add_value(
    block: Block, value: Any, raw: str, limits: Limits, *, careful: bool, told: str | None = None
) -> None:
    try:
        document = _document(value, raw, limits, careful=careful)
    except _Defect as defect:
        block.add_defect(limits.raw_document(raw), told or str(defect))
    else:
        if told:
            block.add_defect(document, told)
        else:
            block.documents.append(document)


def _document(value: Any, raw: str, limits: Limits, *, careful: bool) -> bytes:
    if careful and (flaw := limits.flaw((), raw)):
        raise _Defect(flaw)
    if not isinstance(value, dict):
        raise _Defect("not a JSON object")
    record: dict[str, str | None] = {}
    try:
        _flatten(value, "", record)
        document = orjson.dumps(record)
    except RecursionError:
        raise _Defect("invalid JSON") from None
    except orjson.JSONEncodeError as error:
        if isinstance(error.__cause__, _Defect):
            raise error.__cause__ from None
        # The other thing that cannot be written is nesting that has no end.
        raise _Defect("lone surrogate" if "surrogate" in str(error) else "invalid JSON") from None
    if (careful or b"\\u0000" in document) and (flaw := limits.flaw((*record, *record.values()))):
        raise _Defect(flaw)
    return document


def _flatten(found: dict[str, Any], prefix: str, record: dict[str, str | None]) -> None:
    """Put the values of an object into `record` as text, under dotted names."""
    if isinstance(found, _Repeated):
        raise _Defect("duplicate JSON key")
    for key, value in found.items():
        name = prefix + key
        if isinstance(value, dict) and value:
            _flatten(value, f"{name}.", record)
            continue
        if name in record:
            raise _Defect("duplicate JSON key")
        record[name] = value if value is None or isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Repeated):
        raise _Defect("duplicate JSON key")
    return orjson.dumps(value, default=_number, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()


def _number(value: Any) -> Any:
    if isinstance(value, _Repeated):
        raise _Defect("duplicate JSON key")
    return orjson.Fragment(str(value))
