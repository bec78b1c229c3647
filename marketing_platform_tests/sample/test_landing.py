"""The sample through the real sources and row rules: every row lands, and refused are the planted ones."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import orjson
import pyarrow as pa
import pytest

from marketing_platform.gates import RowGate, load_suites, split
from marketing_platform.sample import SampleSummary
from marketing_platform.settings import load_settings
from marketing_platform.sources import SourceSpec, load_sources, match_source, project, read_rows


@pytest.fixture(scope="module")
def specs() -> tuple[SourceSpec, ...]:
    return load_sources(load_settings().sources_dir)


@pytest.fixture(scope="module")
def landed(sample: SampleSummary, specs: tuple[SourceSpec, ...]) -> dict[str, tuple[int, Counter[str]]]:
    """Rows landed and reasons of quarantine, per file."""
    gate = RowGate(load_suites(load_settings().expectations_dir), now=datetime(2026, 7, 1, tzinfo=UTC))
    found: dict[str, tuple[int, Counter[str]]] = {}
    for file in sample.files:
        spec = match_source(specs, file.path)
        assert spec is not None, file.path
        rows, reasons = 0, Counter[str]()
        with (sample.directory / file.path).open("rb") as stream:
            for raw in read_rows(stream, spec, chunk_rows=5_000, max_cell_bytes=1 << 20):
                projection = project(raw, spec, "batch@version")
                problems = [gate.problems(name, rows) for name, rows in projection.tables.items()]
                parts = split(
                    raw,
                    projection.tables,
                    typing_problems=projection.problems,
                    rule_problems=pa.concat_tables(problems),
                )
                rows += parts.rows_landed
                for texts in parts.quarantine["reasons"].to_pylist():
                    reasons.update(orjson.loads(texts))
        found[file.path] = rows, reasons
    return found


def test_every_row_lands(sample: SampleSummary, landed: dict[str, tuple[int, Counter[str]]]) -> None:
    assert {path: rows for path, (rows, _) in landed.items()} == {
        file.path: file.rows for file in sample.files
    }


def test_quarantine_gives_the_reasons_that_were_planted(
    sample: SampleSummary, landed: dict[str, tuple[int, Counter[str]]]
) -> None:
    assert {path: dict(reasons) for path, (_, reasons) in landed.items()} == {
        file.path: dict(file.dirty) for file in sample.files
    }


def test_one_name_for_each_category(sample: SampleSummary, specs: tuple[SourceSpec, ...]) -> None:
    names: dict[str, set[str]] = {}
    for path in ("crm/campaigns.json", "shop/products.ndjson", "crm/interests.csv"):
        spec = match_source(specs, path)
        assert spec is not None
        with (sample.directory / path).open("rb") as stream:
            for raw in read_rows(stream, spec, chunk_rows=5_000, max_cell_bytes=1 << 20):
                for name, rows in project(raw, spec, "batch@version").tables.items():
                    column = "interest" if name == "interests" else "category"
                    names.setdefault(name, set()).update(rows[column].drop_null().to_pylist())
    assert names["campaigns"] == names["products"] == names["interests"]
    assert len(names["campaigns"]) == 10
