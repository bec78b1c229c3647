"""A message of any bytes becomes one line, and what the source's reader makes of it is what was sent."""

from __future__ import annotations

import base64
import io
import json
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marketing_platform.ingestion.stream_lines import gap_line, last_line, line_of, offset_of
from marketing_platform.settings import PROJECT_DIR
from marketing_platform.sources import SourceSpec, load_sources, read_rows
from marketing_platform.stores.stream import Message, Partition

EVENTS = Partition("events", "MkU3OEVBNTcwNTJENDM2Qg", 3)
MAX_BYTES = 1 << 20

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(), json_values, max_size=4)


def message(
    value: bytes | None, *, offset: int = 7, key: bytes | None = None, time: int | None = 5
) -> Message:
    return Message(EVENTS, offset, time, key, value)


@cache
def declared() -> SourceSpec:
    [spec] = [found for found in load_sources(PROJECT_DIR / "sources") if found.source == "stream_events"]
    return spec


def read(lines: bytes, max_cell_bytes: int = MAX_BYTES) -> list[dict[str, Any]]:
    """What the source `stream_events` makes of a landed object."""
    chunks = read_rows(io.BytesIO(lines), declared(), chunk_rows=1000, max_cell_bytes=max_cell_bytes)
    return [row for chunk in chunks for row in chunk.to_pylist()]


@settings(deadline=None)  # the first example loads the sources
@given(
    st.binary() | st.none(), st.binary() | st.none(), st.integers(0, 2**62), st.none() | st.integers(0, 2**52)
)
@example(b'{"a":1},"value":{"a":2}', None, 0, 0)  # closes our object and opens another
@example(b'{"a":1}\n{"a":2}', None, 0, 0)
@example(b"\xef\xbb\xbf{}", None, 0, 0)
@example(b"", b"", 0, 0)
def test_any_message_becomes_exactly_one_record(
    value: bytes | None, key: bytes | None, offset: int, time: int | None
) -> None:
    line = line_of(message(value, offset=offset, key=key, time=time), max_bytes=MAX_BYTES)
    assert line.content.endswith(b"\n")
    assert not set(b"\r\n") & set(line.content[:-1])
    assert offset_of(line.content) == offset
    [record] = read(line.content)
    # What the consumer set aside is set aside by the reader, for the same reason.
    assert line.defect is None or record["defect"] == line.defect


@given(json_objects, st.sampled_from([None, 0, 2]), st.text(alphabet=" \t\r\n", max_size=3))
def test_an_object_is_kept_as_it_was_written(sent: dict[str, Any], indent: int | None, blanks: str) -> None:
    text = blanks + json.dumps(sent, indent=indent) + blanks
    line = line_of(message(text.encode("utf-8", "surrogatepass")), max_bytes=MAX_BYTES)
    if line.defect is None:
        assert json.loads(line.content)["value"] == sent


@given(st.binary())
def test_the_bytes_of_a_dead_letter_can_be_had_back(value: bytes) -> None:
    line = line_of(message(value), max_bytes=MAX_BYTES)
    if line.defect is not None:
        kept = orjson.loads(line.content)
        assert (
            base64.b64decode(kept["_raw_base64"]) if "_raw_base64" in kept else kept["_raw"].encode() == value
        )


@given(st.binary())
def test_the_key_can_be_had_back(key: bytes) -> None:
    kept = orjson.loads(line_of(message(b"{}", key=key), max_bytes=MAX_BYTES).content)["kafka"]
    assert (base64.b64decode(kept["key_base64"]) if "key_base64" in kept else kept["key"].encode()) == key


def test_a_number_keeps_its_text() -> None:
    sent = b'{"a":0.10,"b":123456789012345678901234567890,"c":1E5}'
    assert b'"value":' + sent in line_of(message(sent), max_bytes=100).content


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null value (tombstone)"),
        (b"", "invalid JSON"),
        (b"{bad", "invalid JSON"),
        (b"{'a': 1}", "invalid JSON"),
        (b"[1]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"a": "\xff"}', "not utf-8 text"),
        (b'{"a": "' + b"x" * 100 + b'"}', "message larger than 100 bytes"),
    ],
)
def test_a_dead_letter_says_what_is_wrong_with_it(value: bytes | None, reason: str) -> None:
    line = line_of(message(value, key=b"u-1"), max_bytes=100)
    [record] = read(line.content)
    assert (line.defect, record["defect"]) == (reason, reason)
    document = json.loads(record["document"])
    assert (document["kafka.offset"], document["kafka.key"], document["kafka.timestamp_ms"]) == (
        "7",
        "u-1",
        "5",
    )


def test_a_dead_letter_that_is_too_large_to_keep_as_a_record_keeps_its_reason() -> None:
    line = line_of(message(b'{"a": "' + b"x" * 5000 + b'"}'), max_bytes=100)
    [record] = read(line.content, max_cell_bytes=2000)
    assert record["defect"] == "message larger than 100 bytes"
    assert int(json.loads(record["document"])["_raw_bytes"]) > 5000


def test_where_a_message_was_can_be_read_in_its_row() -> None:
    [record] = read(
        line_of(message(b'{"user_id": "u-1"}', key=b"k", time=1_783_000_000_000), max_bytes=100).content
    )
    assert record["defect"] is None
    assert json.loads(record["document"]) == {
        "kafka.topic": "events",
        "kafka.partition": "3",
        "kafka.offset": "7",
        "kafka.timestamp_ms": "1783000000000",
        "kafka.key": "k",
        "value.user_id": "u-1",
    }


def test_a_gap_is_one_record_that_ends_where_the_gap_does() -> None:
    line = gap_line(EVENTS, 100, 250)
    assert offset_of(line.content) == 249
    [record] = read(line.content)
    assert record["defect"] == "150 offsets from 100 on were removed from the stream before they landed"


def test_the_end_of_an_object_is_in_its_last_line() -> None:
    lines = [
        line_of(message(value, offset=at), max_bytes=100).content for at, value in ((7, b"{}"), (9, None))
    ]
    assert offset_of(last_line(io.BytesIO(b"".join(lines)))) == 9
    with pytest.raises(ValueError, match="no line of a landed stream"):
        offset_of(last_line(io.BytesIO(b"")))
