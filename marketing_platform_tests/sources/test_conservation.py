"""Whatever the bytes: every record comes out once, numbered without gaps, and nothing raises."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.sources import project
from marketing_platform.sources.spec import SourceSpec
from marketing_platform_tests.sources.landed import raw, records, source

LAYOUTS = {
    "csv": source({"type": "csv"}),
    "csv with escape": source({"type": "csv", "escape": "\\", "header": ["id", "user", "text"]}),
    "csv without quotes": source({"type": "csv", "quote": "none", "header": ["id", "user", "text"]}),
    "csv in utf-16": source({"type": "csv", "encoding": "utf-16"}),
    "csv in shift_jis": source({"type": "csv", "encoding": "shift_jis", "header": ["id", "user", "text"]}),
    "gzip": source({"type": "ndjson", "compression": "gzip"}),
    "ndjson": source({"type": "ndjson"}),
    "json": source({"type": "json"}),
    "parquet": source({"type": "parquet"}),
}
STRUCTURE = [b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\\", b"{", b"}", b"[", b"]", b":"]
CONTENT = [b"\0", b"\xff", b"\xc3\xa9", b"a", b"1", b"null", b"1e999", b'"\\ud800"', b'"id"', b'{"id":1}']
PIECES = st.sampled_from([*STRUCTURE, *CONTENT, b"id,user,text\n", b"1,u,hi\n"])
BYTES = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=60).map(b"".join))
CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
# A record of one empty cell is a blank line; three cells never are.
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=30)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
@settings(max_examples=60, deadline=None)
@given(content=BYTES, packed=st.booleans())
def test_any_bytes(name: str, content: bytes, packed: bool) -> None:
    spec: SourceSpec = LAYOUTS[name]
    landed = raw(gzip.compress(content) if packed else content, spec, chunk_rows=7, max_cell_bytes=64)
    if landed.num_rows:
        _accounted_for(landed, spec)


def _accounted_for(landed: pa.Table, spec: SourceSpec) -> None:
    projection = project(landed, spec, "batch@x")
    rows = projection.tables["events"]["row_ordinal"].to_pylist()
    defective = [p["row_ordinal"] for p in projection.problems.to_pylist() if p["table"] is None]
    assert sorted(rows + defective) == list(range(len(rows) + len(defective)))
    assert len(rows) + len(defective) == landed.num_rows


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_what_the_csv_module_writes_comes_back(rows: list[tuple[str, str, str]]) -> None:
    sink = io.StringIO()
    csv.writer(sink).writerows([("id", "user", "text"), *rows])
    found = records(sink.getvalue().encode(), LAYOUTS["csv"])
    assert [(tuple(document.values()), defect) for document, defect in found] == [(row, None) for row in rows]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.dictionaries(CELLS, st.one_of(CELLS, st.none()), min_size=1, max_size=4), max_size=20)
)
def test_what_the_json_module_writes_comes_back(rows: list[dict[str, str | None]]) -> None:
    expected = [(row, None) for row in rows]
    assert records("\n".join(map(json.dumps, rows)).encode(), LAYOUTS["ndjson"]) == expected
    assert records(json.dumps(rows, ensure_ascii=False).encode(), LAYOUTS["json"]) == expected


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=40))
def test_each_bad_line_costs_one_record(rows: list[tuple[bool, int]]) -> None:
    lines = [f"{n},u,hi" if good else f'{n},u,"oops' for good, n in rows]
    found = records(("id,user,text\n" + "\n".join(lines) + "\n").encode(), LAYOUTS["csv"])
    assert [defect for _, defect in found] == [None if good else "unclosed quote" for good, _ in rows]
