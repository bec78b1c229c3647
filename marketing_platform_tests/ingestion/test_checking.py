"""A file is judged before it lands as it will be once it has: rows, quarantine, reasons, the verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

from marketing_platform.gates import load_suites
from marketing_platform.ingestion.checking import Checked, check_file
from marketing_platform.settings import Settings
from marketing_platform.sources import SourceSpec, load_sources

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HEADER = "date,platform,account,campaign,country,device,spend,clicks,impressions,conversions"
GOOD = "2025-06-30,Meta,AcctA,Prospecting,DE,Mobile,12.50,10,1000,2"


def spec() -> SourceSpec:
    return next(spec for spec in load_sources(Settings().sources_dir) if spec.name == "ads_spend")


def checked(*lines: str, chunk_rows: int = 100) -> list[Checked]:
    content = BytesIO("\n".join([HEADER, *lines, ""]).encode())
    suites = load_suites(Settings().expectations_dir)
    return list(check_file(content, spec(), suites, now=NOW, chunk_rows=chunk_rows, max_cell_bytes=1 << 20))


def test_a_good_file_passes_and_says_so_only_at_its_end() -> None:
    *before, last = checked(*[GOOD] * 250)
    assert [found.rows for found in before] == [100, 200, 250]
    assert not any(found.finished for found in before)
    assert last.finished
    assert not last.held
    assert (last.rows, last.rows_valid, last.rows_quarantined) == (250, 250, 0)


def test_what_is_refused_is_counted_with_reasons_and_shown() -> None:
    negative = GOOD.replace("12.50", "-12.50")
    last = checked(*[GOOD] * 98, negative, "not a line")[-1]
    assert (last.rows, last.rows_valid, last.rows_quarantined) == (100, 98, 2)
    assert sum(last.reasons.values()) >= 2
    assert [sample["ordinal"] for sample in last.samples] == [98, 99]
    assert not last.held


def test_too_many_bad_rows_would_hold_it() -> None:
    last = checked(*[GOOD] * 9, "not a line")[-1]
    assert last.held
    assert [verdict.rule for verdict in last.failed or ()] == ["share_valid"]


def test_a_file_of_another_kind_is_refused_whole() -> None:
    last = checked("\x00\x01", "{}")[-1]
    assert last.rows_valid == 0
    assert last.held
