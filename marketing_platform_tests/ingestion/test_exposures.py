"""Exposures land as rows of their table, whoever noted them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from marketing_platform.gates import RowGate, load_suites
from marketing_platform.ingestion.exposures import Exposure, exposures_entry, land_exposures
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.ingestion.test_written import sifted

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHOWN = [
    Exposure("e", "a", "u/1 ü", NOW, "email", "welcome", "r-1"),
    Exposure(
        "e", "b", "u-2", NOW.astimezone(timezone(timedelta(hours=5))), "recommendations", "product", "r-1"
    ),
]


@pytest.fixture(scope="module")
def gate() -> RowGate:
    return RowGate(load_suites(PROJECT_DIR / "expectations"), now=datetime.now(UTC))


def test_no_gate_refuses_what_is_noted(gate: RowGate) -> None:
    entry = exposures_entry(SHOWN, by="api")
    found = sifted("api/exposures/x.ndjson", list(entry.lines), gate)
    assert found.quarantine.to_pylist() == []
    rows = found.tables["exposures"].to_pylist()
    named = [
        (row["experiment"], row["variant"], row["user_id"], row["surface"], row["about"]) for row in rows
    ]
    assert named == [("e", "a", "u/1 ü", "email", "welcome"), ("e", "b", "u-2", "recommendations", "product")]
    assert {row["timestamp"] for row in rows} == {NOW}
    assert {row["release_id"] for row in rows} == {"r-1"}
    assert entry.kind == "exposures"


def test_what_is_sent_lands_at_once_as_one_object(tmp_path: Path, gate: RowGate) -> None:
    settings = Settings(data_dir=tmp_path)  # pyright: ignore[reportCallIssue]
    objects = open_stores(settings).objects
    land_exposures(objects, [], by="mail")
    assert list(objects.list()) == []
    land_exposures(objects, SHOWN, by="mail")
    land_exposures(objects, SHOWN[:1], by="mail")
    landed = sorted(one.name for one in objects.list())
    assert len(landed) == 2
    assert {Path(name).parent.as_posix() for name in landed} == {"api/exposures"}
    lines = [(settings.landing_dir / name).read_bytes().splitlines(keepends=True) for name in landed]
    assert sorted(len(of_object) for of_object in lines) == [1, 2]
    for of_object in lines:
        assert sifted(landed[0], of_object, gate).tables["exposures"].num_rows == len(of_object)
