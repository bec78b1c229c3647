"""NDJSON and JSON arrays: exact texts, flattening, and every way they can be broken."""

from __future__ import annotations

import gzip

import pytest

from marketing_platform_tests.sources.landed import defects, records, source

NDJSON = source({"type": "ndjson"})
ARRAY = source({"type": "json"})


def test_values_keep_their_text() -> None:
    line = (
        b'{"a": 0.10, "b": 1e999, "c": -0, "d": true, "e": null, "f": "", "g": NaN, '
        b'"u": {"id": 7, "tags": [1.50, "x", {"y": 1e400}], "none": {}}}'
    )
    expected = {
        "a": "0.10",
        "b": "1e999",
        "c": "-0",
        "d": "true",
        "e": None,
        "f": "",
        "g": "NaN",
        "u.id": "7",
        "u.tags": '[1.50,"x",{"y":1e400}]',
        "u.none": "{}",
    }
    assert records(line + b"\n\n", NDJSON) == [(expected, None)]
    assert records(b"[" + line + b"]", ARRAY) == [(expected, None)]


@pytest.mark.parametrize(
    ("line", "defect"),
    [
        (b'{"a": 1', "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "invalid JSON"),
        (b"[1]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"a": 1, "a": 2}', "duplicate JSON key"),
        (b'{"a": {"b": 1, "b": 2}}', "duplicate JSON key"),
        (b'{"a": [{"b": 1, "b": 2}]}', "duplicate JSON key"),
        (b'{"a.b": 1, "a": {"b": 2}}', "duplicate JSON key"),
        (b'{"a": "\\ud800"}', "lone surrogate"),
        (b'{"a": "\\u0000"}', "NUL byte"),
        (b'{"a": "\0"}', "NUL byte"),
        (b'{"a": "\xff"}', "not utf-8 text"),
        (b'{"a": "' + b"x" * 5000 + b'"}', "cell larger than 4096 bytes"),
    ],
)
def test_a_bad_line_costs_one_record(line: bytes, defect: str) -> None:
    found = records(b'{"id": 1}\n' + line + b'\n{"id": 2}\n', NDJSON)
    assert [reason for _, reason in found] == [None, defect, None]
    assert "_raw" in found[1][0]


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert records(rb'{"a": "\\u0000"}', NDJSON) == [({"a": "\\u0000"}, None)]


def test_an_empty_ndjson_file_has_no_records() -> None:
    assert records(b"", NDJSON) == []


def test_an_array_of_many_pieces() -> None:
    content = b"[" + b",\n".join(b'{"id": %d, "text": "%s"}' % (n, b"x" * 500) for n in range(5000)) + b"]\n"
    found = records(content, ARRAY)
    assert [document["id"] for document, _ in found] == [str(n) for n in range(5000)]


def test_an_empty_array() -> None:
    assert records(b" [ ] ", ARRAY) == []


def test_bad_elements_of_an_array_cost_one_record_each() -> None:
    content = b'[{"id": 1}, 7, {"a": 1, "a": 2}, {"a": "\\ud800"}, {"id": 2}]'
    assert defects(content, ARRAY) == [
        None,
        "not a JSON object",
        "duplicate JSON key",
        "lone surrogate",
        None,
    ]


@pytest.mark.parametrize(
    ("content", "rows", "reason"),
    [
        (b"", 0, "empty file, expected a JSON array of objects"),
        (b'{"id": 1}', 0, "no JSON array, expected a JSON array of objects"),
        (b'[{"id": 1}, {"id"', 1, "the JSON array cannot be read on from record 1"),
        (b'[{"id": 1}, ', 1, "the JSON array cannot be read on from record 1"),
        (b'[{"id": 1}', 1, "the JSON array ends early, after record 0"),
        (b'[{"id": 1}, {"id": 2} {"id": 3}]', 2, "the JSON array ends early, after record 1"),
        (b'[{"id": 1},]', 1, "the JSON array cannot be read on from record 1"),
        (b'[{"id": 1}] []', 1, "text behind the JSON array"),
    ],
)
def test_a_broken_array_gives_its_rows_and_one_last_record(content: bytes, rows: int, reason: str) -> None:
    assert defects(content, ARRAY) == [None] * rows + [f"unreadable: {reason}"]


def test_a_cut_off_gzip_array_blames_the_compression() -> None:
    content = gzip.compress(b"[" + b",".join(b'{"id": %d}' % (n * n * 7919) for n in range(9000)) + b"]")
    found = defects(content[: len(content) // 2], ARRAY)
    assert set(found[:-1]) == {None}
    assert (found[-1] or "").startswith("unreadable: gzip data is cut off")
