"""Separated text: every layout that can be declared, and every way it can be broken."""

from __future__ import annotations

import base64
import gzip
import hashlib
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from marketing_platform.sources import read_rows
from marketing_platform_tests.sources.landed import defects, records, source

CSV = source({"type": "csv"})
HEADER = b"id,user,text\n"
ROW = {"id": "1", "user": "u", "text": "hi"}


@pytest.mark.parametrize(
    ("layout", "content"),
    [
        ({}, b"id,user,text\n1,u,hi\n"),
        ({}, b"\xef\xbb\xbfid,user,text\r\n1,u,hi\r\n"),
        ({}, b"id,user,text\r1,u,hi\r"),
        ({}, b"id,user,text\n1,u,hi"),
        ({}, b'"id","user","text"\n\n"1","u","hi"\n\n'),
        ({}, gzip.compress(b"id,user,text\n", mtime=0) + gzip.compress(b"1,u,hi\n", mtime=0) + b"\0\0"),
        ({"delimiter": ";", "quote": "'"}, b"id;user;text\n1;'u';hi\n"),
        ({"delimiter": "\t", "quote": "none"}, b"id\tuser\ttext\n1\tu\thi\n"),
        ({"skip_rows": 2}, b"Report\nfor May\nid,user,text\n1,u,hi\n"),
        ({"header": ["id", "user", "text"]}, b"1,u,hi\n"),
        ({"encoding": "utf-16"}, "id,user,text\n1,u,hi\n".encode("utf-16")),
        ({"encoding": "utf-16-le"}, "\ufeffid,user,text\n1,u,hi\n".encode("utf-16-le")),
    ],
)
def test_the_same_record_in_every_layout(layout: dict[str, Any], content: bytes) -> None:
    assert records(content, source({"type": "csv", **layout})) == [(ROW, None)]


def test_cells_keep_line_ends_quotes_escapes_and_accents() -> None:
    spec = source({"type": "csv", "encoding": "cp1252", "escape": "\\"})
    content = 'id,user,text\n1,é,"two\r\nlines, ""quoted"""\n2,u,"a \\" b"\n'.encode("cp1252")
    found = records(content, spec)
    assert [document["text"] for document, _ in found] == ['two\r\nlines, "quoted"', 'a " b']
    assert found[0][0]["user"] == "é"


def test_header_names_are_made_distinct_and_filled_in() -> None:
    spec = source({"type": "csv"}, {"events": {"columns": {"user_id": "a"}}})
    assert records(b" a ,,a,a_2\n1,2,3,4\n", spec) == [
        ({"a": "1", "column_2": "2", "a_3": "3", "a_2": "4"}, None)
    ]


def test_header_only_is_no_row() -> None:
    assert records(HEADER, CSV) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "unreadable: empty file, expected a header"),
        (b"\n\n", "unreadable: empty file, expected a header"),
        (b"id,usr\n1,2\n3,4\n", "unreadable: header lacks the field(s) user, text"),
        (b'id,"user\n1,2\n', "unreadable: the header is no record (unclosed quote)"),
        (b"id,\xff,text\n1,2\n", "unreadable: the header is damaged (not utf-8 text)"),
    ],
)
def test_without_a_header_one_record_stands_for_the_file(content: bytes, reason: str) -> None:
    assert defects(content, CSV) == [reason]


def test_wrong_column_counts_keep_their_text() -> None:
    found = records(HEADER + b"1,u\n1,u,hi\n1,u,hi,more\n", CSV)
    assert found == [
        ({"_raw": "1,u"}, "too few columns"),
        (ROW, None),
        ({"_raw": "1,u,hi,more"}, "too many columns"),
    ]


def test_an_unclosed_quote_costs_one_line() -> None:
    content = HEADER + b'1,u,hi\n2,u,"oops\n3,u,hi\n4,u,"fine, too"\n5,u,"end'
    assert defects(content, CSV) == [None, "unclosed quote", None, None, "unclosed quote"]


def test_an_unclosed_quote_is_not_followed_without_end() -> None:
    content = HEADER + b'1,u,"oops\n' + b"2,u,hi\n" * 5000 + b'3,u,"x"\n'
    found = defects(content, CSV)
    assert found == ["unclosed quote"] + [None] * 5001


def test_text_after_a_closing_quote() -> None:
    assert records(HEADER + b'1,"u"x,hi\n1,u,hi\n', CSV) == [
        ({"_raw": '1,"u"x,hi'}, "text after a closing quote"),
        (ROW, None),
    ]


def test_a_quoted_cell_may_reach_over_pieces_of_the_file() -> None:
    filler = b"".join(b"%d,u,%s\n" % (number, b"x" * 1000) for number in range(1040))
    content = HEADER + filler + b'1,u,"' + b"line\n" * 200 + b'"\n' + filler
    found = defects(content, CSV)
    assert found == [None] * 2081


def test_bytes_that_are_not_the_declared_encoding_cost_one_record() -> None:
    found = records(HEADER + b"1,u,h\xffi\n1,u,hi\n", CSV)
    assert found[0][1] == "not utf-8 text"
    assert found[0][0]["_raw"] == "1,u,h\ufffdi"
    assert base64.b64decode(found[0][0]["_raw_base64"] or "") == b"1,u,h\xffi"
    assert found[1] == (ROW, None)


def test_nul_bytes_cost_one_record() -> None:
    assert defects(HEADER + b"1,u,\0\n1,u,hi\n", CSV) == ["NUL byte", None]


def test_a_large_cell_costs_one_record_and_leaves_its_beginning_and_hash() -> None:
    cell = b"x" * 10_000_000
    document, defect = records(HEADER + b"1,u," + cell + b"\n1,u,hi\n", CSV, max_cell_bytes=1 << 20)[0]
    assert defect == "cell larger than 1048576 bytes"
    assert document["_raw_bytes"] == str(len(cell) + 4)
    assert document["_raw_sha256"] == hashlib.sha256(b"1,u," + cell).hexdigest()
    assert len(document["_raw"] or "") < 5000


def test_an_endless_line_is_read_through_without_being_kept() -> None:
    line = b"1,u," + b"x" * 8_000_000
    found = records(HEADER + b"1,u,hi\n" + line + b"\n1,u,hi\n", CSV)
    assert [defect for _, defect in found] == [None, "record larger than 1048576 bytes", None]
    assert found[1][0]["_raw_sha256"] == hashlib.sha256(line).hexdigest()
    assert found[1][0]["_raw_bytes"] == str(len(line))


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "corrupt"])
def test_broken_gzip_gives_its_rows_and_one_last_record(damage: str) -> None:
    whole = gzip.compress(HEADER + b"".join(b"%d,u%d,hi\n" % (n, n * 7919 % 1000) for n in range(20_000)))
    middle = len(whole) // 2
    content = whole[:middle] if damage == "cut" else whole[:middle] + b"\xff" * 50 + whole[middle + 50 :]
    found = defects(content, CSV)
    assert 1000 < len(found) < 20_001
    assert set(found[:-1]) <= {None, "too few columns", "too many columns", "not utf-8 text", "NUL byte"}
    assert (found[-1] or "").startswith("unreadable: gzip data is c")


def test_gzip_declared_but_not_there() -> None:
    spec = source({"type": "csv", "compression": "gzip"})
    assert (defects(HEADER, spec)[0] or "").startswith("unreadable: gzip data is corrupt")


class _Endless:
    """Rows without end; seen as a stream that cannot be sought in."""

    def __init__(self, pieces: int) -> None:
        self._pieces: Iterator[bytes] = iter([HEADER, *([b"1,u,hi there\n" * 15_000] * pieces)])

    def read(self, _size: int = -1) -> bytes:
        return next(self._pieces, b"")


def test_memory_is_bounded_by_the_chunk() -> None:
    tracemalloc.start()
    peaks = []
    for pieces in (2, 6):
        tracemalloc.reset_peak()
        stream: Any = _Endless(pieces)
        rows = sum(c.num_rows for c in read_rows(stream, CSV, chunk_rows=5000, max_cell_bytes=4096))
        assert rows == pieces * 15_000
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2
