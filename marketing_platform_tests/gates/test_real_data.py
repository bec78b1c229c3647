"""What the gates make of real exports, read as `sources/` declares them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from marketing_platform.gates import RowGate, Suites, batch_profile, judge_batch, split
from marketing_platform.sources import load_sources, match_source, project, read_rows
from marketing_platform_tests.conftest import PROJECT

pytestmark = pytest.mark.long

NEGATIVE_PRICES = 2
NAMELESS = 1_454


@pytest.fixture(scope="module")
def gate(suites: Suites) -> RowGate:
    return RowGate(suites, now=datetime(2026, 11, 1, tzinfo=UTC))


def _landed(gate: RowGate, path: Path) -> tuple[dict[str, int], Counter[str]]:
    """How the batch counts, and how often each reason for quarantine was given."""
    spec = match_source(load_sources(PROJECT / "sources"), path.name)
    assert spec is not None, f"no source reads {path.name}"
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with path.open("rb") as stream:
        for raw in read_rows(stream, spec, chunk_rows=50_000, max_cell_bytes=1 << 20):
            projected = project(raw, spec, "batch@1")
            found = [gate.problems(name, rows) for name, rows in projected.tables.items()]
            part = split(
                raw,
                projected.tables,
                typing_problems=projected.problems,
                rule_problems=pa.concat_tables(found),
            )
            counts.update(
                landed=part.rows_landed,
                valid=part.rows_valid,
                quarantined=part.rows_quarantined,
                unreadable=part.unreadable,
            )
            for text in part.quarantine["reasons"].to_pylist():
                reasons.update(orjson.loads(text))
    return dict(counts), reasons


@pytest.mark.parametrize(("name", "held"), [("dirty.csv", False), ("too_dirty.csv", True)])
def test_dirty_conversations(gate: RowGate, suites: Suites, shared_data: Path, name: str, held: bool) -> None:
    folder = shared_data / "conversations"
    truth = orjson.loads((folder / "truth.json").read_bytes())[name]
    counts, reasons = _landed(gate, folder / name)
    assert (counts["landed"], counts["valid"]) == (truth["rows"], truth["valid"])
    assert reasons == truth["quarantined"]
    failed = {verdict.rule for verdict in judge_batch(suites, batch_profile(**counts)) if not verdict.passed}
    assert failed == ({"share_valid"} if held else set())


def test_clean_exports_pass_whole(gate: RowGate, shared_data: Path) -> None:
    assert _landed(gate, shared_data / "conversations" / "events.csv")[0]["valid"] == 29_422
    assert _landed(gate, shared_data / "ads_spend" / "ads_spend.csv")[0]["valid"] == 2_000


def test_every_line_of_the_vendors_reports_passes(gate: RowGate, shared_data: Path) -> None:
    inputs = shared_data / "vendor_exports"
    reports = [*inputs.glob("*/input/*_stats_data.csv"), *inputs.glob("*/input/*_report_data.csv")]
    assert len(reports) == 13
    for path in reports:
        assert not _landed(gate, path)[1], path.name


def test_order_lines_pass_but_for_bad_debt_and_lines_about_nothing(
    gate: RowGate, suites: Suites, shared_data: Path
) -> None:
    counts, reasons = _landed(gate, shared_data / "online_retail" / "online_retail.parquet")
    assert reasons == {"unit_price negative": NEGATIVE_PRICES, "product_id missing": NAMELESS}
    assert counts["landed"] == 541_909 == counts["valid"] + counts["quarantined"]
    assert all(verdict.passed for verdict in judge_batch(suites, batch_profile(**counts)))
