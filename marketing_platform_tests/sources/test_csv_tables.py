"""Separated text cut on its bytes gives the records that the splitter gives, whatever the bytes."""

from __future__ import annotations

import io
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marketing_platform.sources import csv_tables, read_rows, text
from marketing_platform.sources.csv_records import csv_blocks
from marketing_platform.sources.records import Limits, in_chunks
from marketing_platform.sources.spec import CsvFormat, SourceSpec
from marketing_platform.sources.text import PIECE_BYTES
from marketing_platform.stores.raw_chunks import FIELDS, written_out
from marketing_platform_tests.sources.landed import raw, source

HEADER = b"id,user,text\n"
MARKS = [b'"', b'""', b",", b"\n", b"\r\n", b'","', b'\n"', b'"\n', b'",', b',"']
ODD = [b"\r", b"\0", b"\xff", b"\xed\xa0\x80", b"\xc3", b" ", b"\xef\xbb\xbf"]
PLAIN = [
    b"a",
    b"1",
    "é".encode(),
    "🙂".encode(),
    b"1,u,hi\n",
    b'1,"u","h,i"\n',
    b'2,u,"a\nb"\n',
    b'3,u,"a ""b"""\n',
]
CONTENT = st.one_of(
    st.lists(st.sampled_from([*MARKS, *PLAIN]), max_size=40).map(b"".join),
    st.lists(st.sampled_from([*MARKS, *PLAIN, *ODD]), max_size=40).map(b"".join),
)
# Every layout here is cut on its bytes.
LAYOUTS = {
    "comma": source({"type": "csv"}),
    "no header line": source({"type": "csv", "header": ["id", "user", "text"]}),
    "without quotes": source({"type": "csv", "quote": "none"}),
    "skipping": source({"type": "csv", "skip_rows": 1}),
    "one column": source({"type": "csv", "header": ["id"]}, {"events": {"columns": {"user_id": "id"}}}),
}


def by_splitter(content: bytes, spec: SourceSpec, *, max_cell_bytes: int = 4096) -> list[dict[str, Any]]:
    assert isinstance(spec.format, CsvFormat)
    limits = Limits("utf-8", max_cell_bytes)
    pieces = text.text_pieces(io.BytesIO(content), encoding="utf-8", compression="auto")
    lines = text.text_lines(pieces, encoding="utf-8", max_cell_bytes=max_cell_bytes)
    chunks = in_chunks(csv_blocks(lines, spec.format, spec.fields, limits), limits, 100)
    return [row for chunk in chunks for row in chunk.to_pylist()]


def by_bytes(content: bytes, spec: SourceSpec, **limits: int) -> list[dict[str, Any]]:
    return raw(content, spec, **limits).to_pylist()


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=300, deadline=None)
@given(content=CONTENT)
@example(content=b'\n\n\n"1,u,hi\n\n"\n')  # a header over several lines, where one is skipped
@example(content=b'1,u,"oops\n2,u,hi\n3,"x",y\n')
@example(content=b'1,u,"a\n2,u,",hi\n3,u,hi\n')
@example(content=b'1,u"v,hi\n2,"u"v,hi\n3,u,""\n4,"""",\'\n')
def test_the_same_records_as_line_by_line(layout: str, content: bytes) -> None:
    spec = LAYOUTS[layout]
    assert isinstance(spec.format, CsvFormat)
    assert csv_tables.cut_by_bytes(spec.format)
    content = content if layout in ("no header line", "one column") else HEADER + content
    assert by_bytes(content, spec) == by_splitter(content, spec)


@settings(max_examples=200, deadline=None)
@given(content=CONTENT, size=st.integers(1, 40))
def test_wherever_the_pieces_of_the_file_end(content: bytes, size: int) -> None:
    """Two pieces of a file are one text; only where it ends without a line end may a quote stay open."""
    spec = LAYOUTS["comma"]
    whole = HEADER + content + b"\n"
    with patch.object(text, "PIECE_BYTES", size):
        pieced = by_bytes(whole, spec)
    assert pieced == by_bytes(whole, spec)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=30))
def test_large_cells_are_refused_one_by_one(rows: list[tuple[str, str]]) -> None:
    spec = LAYOUTS["without quotes"]
    lines = [",".join(("1", *(c for c in row))) for row in rows]
    content = HEADER + "\n".join(lines).encode("utf-8", "replace") + b"\n"
    assert by_bytes(content, spec, max_cell_bytes=5) == by_splitter(content, spec, max_cell_bytes=5)


def test_plain_records_stay_in_columns_and_others_keep_their_text() -> None:
    content = io.BytesIO(HEADER + b'1,u,"a ""b"""\n2,u\n3,v"w,\n')
    (chunk,) = read_rows(content, LAYOUTS["comma"], chunk_rows=100, max_cell_bytes=4096)
    fields = chunk[FIELDS].to_pylist()
    assert fields[0] == {"id": "1", "user": "u", "text": 'a "b"'}
    assert fields[1] is None
    assert chunk["defect"].to_pylist() == [None, "too few columns", None]
    documents = [orjson.loads(document) for document in written_out(chunk)["document"].to_pylist()]
    assert documents == [fields[0], {"_raw": "2,u"}, {"id": "3", "user": 'v"w', "text": ""}]


def test_an_open_quote_in_every_line_costs_no_more_than_line_by_line() -> None:
    content = HEADER + b'1,u,"oops\n2,u,"fine"\n' * 2000
    found = by_bytes(content, LAYOUTS["comma"])
    assert [row["defect"] for row in found] == ["unclosed quote", None] * 2000


@pytest.mark.parametrize(
    "records",
    [b'1,u,"a"b\n2,u,hi\n' * 100, b"1,u," + b"x" * (3 * PIECE_BYTES) + b"\n2,u,hi\n"],
    ids=["text behind quotes", "a line over several pieces"],
)
def test_what_is_not_worth_cutting_is_read_line_by_line(records: bytes) -> None:
    content = HEADER + records
    assert by_bytes(content, LAYOUTS["comma"]) == by_splitter(content, LAYOUTS["comma"])


def test_a_record_of_more_lines_than_are_looked_ahead_is_no_record() -> None:
    content = HEADER + b'1,u,"' + b"x\n" * 1200 + b'"\n2,u,hi\n'
    assert by_bytes(content, LAYOUTS["comma"]) == by_splitter(content, LAYOUTS["comma"])
