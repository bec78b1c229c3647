"""A message as one line of NDJSON, whatever its bytes: `{"kafka": {where it was}, "value": {what it said}}`.

The value of a message that is a JSON object is copied as it was written, so that `0.10` stays `0.10`.
Any other message is a dead letter: a line that says what is wrong with it (`DEFECT_FIELD`, which the
source names as its `defect_field`) and holds the bytes, and that ends in quarantine.
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import orjson

from marketing_platform.stores.stream import Message, Partition

DEFECT_FIELD = "_defect"
# The value of a line is text of others; where it was is in front of it, so that this finds our own words.
_OFFSET = re.compile(rb'\{"kafka":\{"topic":"[^"]*","partition":\d+,"offset":(\d+)[,}]')


class Line(NamedTuple):
    """One line of a landed object, with its end."""

    content: bytes
    defect: str | None  # why the message is a dead letter


def line_of(message: Message, *, max_bytes: int) -> Line:
    """The line of a message; a value of more than `max_bytes` is a dead letter."""
    value = message.value
    envelope = _envelope(message)
    if value is None:
        return _dead(envelope, "null value (tombstone)", None)
    if len(value) > max_bytes:
        return _dead(envelope, f"message larger than {max_bytes} bytes", value)
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return _dead(envelope, "invalid JSON" if _is_text(value) else "not utf-8 text", value)
    if not isinstance(found, dict):
        return _dead(envelope, "not a JSON object", value)
    if b"\n" in value or b"\r" in value:
        # In JSON a line end can only stand between its words, where a blank means the same.
        value = value.replace(b"\r", b" ").replace(b"\n", b" ")
    return Line(b'%b,"value":%b}\n' % (envelope, value), None)


def gap_line(partition: Partition, first: int, end: int) -> Line:
    """The line that stands for messages `first` to `end - 1`, which were removed before they landed."""
    envelope = _envelope(Message(partition, end - 1, None, None, None))
    reason = f"{end - first} offsets from {first} on were removed from the stream before they landed"
    return _dead(envelope, reason, None)


def offset_of(line: bytes) -> int:
    """The offset of the message that became `line`.

    Raises:
        ValueError: It is no line of this module.
    """
    found = _OFFSET.match(line)
    if found is None:
        raise ValueError(f"no line of a landed stream: {line[:100]!r}")
    return int(found[1])


def last_line(content: Iterable[bytes]) -> bytes:
    """The last of the lines of a landed object; empty when there is none."""
    return next(iter(deque(content, maxlen=1)), b"")


def _envelope(message: Message) -> bytes:
    """The beginning of a line, up to the end of where the message was."""
    time = b"" if message.timestamp_ms is None else b',"timestamp_ms":%d' % message.timestamp_ms
    return b'{"kafka":{"topic":"%b","partition":%d,"offset":%d%b%b}' % (
        message.partition.topic.encode(),
        message.partition.number,
        message.offset,
        time,
        b"" if message.key is None else b',"key%b' % _text_or_base64(message.key),
    )


def _dead(envelope: bytes, defect: str, value: bytes | None) -> Line:
    raw = b"" if value is None else b',"_raw%b' % _text_or_base64(value)
    return Line(b'%b,"%b":%b%b}\n' % (envelope, DEFECT_FIELD.encode(), orjson.dumps(defect), raw), defect)


def _text_or_base64(content: bytes) -> bytes:
    """The end of a field's name and its value: `":"…"` for text, `_base64":"…"` for other bytes."""
    if _is_text(content):
        return b'":' + orjson.dumps(content.decode())
    return b'_base64":"' + base64.b64encode(content) + b'"'


def _is_text(content: bytes) -> bool:
    """Whether the bytes are text that every later step can keep, which a NUL is not."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content
