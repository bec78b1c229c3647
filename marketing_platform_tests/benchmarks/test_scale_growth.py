"""How growth is fitted, and what the scale benchmark makes of it."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import scale
from benchmarks.runs import Run
from benchmarks.scale_growth import MEASURABLE_SECONDS, exponent, growth, worst
from marketing_platform_tests.benchmarks.made import made_run, made_scaled

_SIZES = (100_000, 1_000_000, 10_000_000)


@given(st.floats(0.2, 2.5), st.floats(1.0, 100.0))
def test_a_power_law_gives_its_exponent(power: float, seconds: float) -> None:
    points = [(size, seconds * (size / _SIZES[0]) ** power) for size in _SIZES]
    assert exponent(points) == pytest.approx(power, abs=1e-9)


def test_what_takes_no_measurable_time_says_nothing_about_growth() -> None:
    assert exponent([(1, 0.0), (10, MEASURABLE_SECONDS / 2), (100, 5.0)]) is None
    assert exponent([(1, -3.0), (10, 1.0), (100, 10.0)]) == pytest.approx(1.0)


def test_what_nothing_costs_already_is_taken_off() -> None:
    floor = made_run(3.0, checks=2.0)
    found = growth(floor, {1_000: made_run(3.0, checks=3.0), 10_000: made_run(20.0, checks=12.0)})
    assert [stage.stage for stage in found] == ["checks"]
    assert found[0].exponent == pytest.approx(1.0)
    assert found[0].cpu_exponent == pytest.approx(1.0)
    assert found[0].seconds == (3.0, 12.0)


def test_stages_that_do_not_matter_are_left_out_and_the_worst_is_named() -> None:
    small = made_run(10.0, linear=1.0, square=1.0, tiny=0.01)
    large = made_run(200.0, linear=10.0, square=100.0, tiny=1.9)
    found = growth(made_run(0.0, linear=0.0), {1_000: small, 10_000: large})
    assert [stage.stage for stage in found] == ["square", "linear"]
    fastest = worst(found)
    assert fastest is not None
    assert (fastest.stage, fastest.exponent) == ("square", pytest.approx(2.0))


def test_a_stage_that_was_not_there_before_has_no_growth() -> None:
    found = growth(made_run(), {1_000: made_run(10.0, old=5.0), 10_000: made_run(10.0, new=5.0)})
    assert [(stage.stage, stage.exponent) for stage in found] == [("new", None)]
    assert worst(found) is None


def test_the_last_line_has_the_figures_of_the_largest_size() -> None:
    scaled = [
        made_scaled(1_000, raw_records=1.0, validate_batches=1.0),
        made_scaled(10_000, raw_records=2.0, validate_batches=6.0),
    ]
    found = scale.document(made_run(0.1, validate_batches=0.0), scaled)
    assert (found["delta_share"], found["peak_gb"], found["load_ratio"]) == (0.1, 1.5, 3.0)
    assert found["load_ratio_with_raw"] == 4.0
    assert found["growth_stage"] == "validate_batches"
    assert found["growth_exponent"] == pytest.approx(0.778)
    assert [size["events"] for size in found["sizes"]] == [1_000, 10_000]


@pytest.mark.slow
def test_both_runs_of_every_size_are_made_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    landed: list[tuple[str, int]] = []

    def run(data_dir: Path, title: str) -> Run:
        """Looks at what would be run."""
        assert (data_dir / "models").is_dir()
        landed.append((title, len(list((data_dir / "landing" / "events").glob("*.csv")))))
        return made_run(len(landed) * 10.0)

    monkeypatch.setattr(scale, "run", run)
    monkeypatch.setattr(scale, "open_encoder", lambda folder: folder.mkdir())
    monkeypatch.setattr("sys.argv", ["scale", "--sizes", "4000,2000", "--folder", str(tmp_path)])
    scale.main()
    weeks = 19
    assert landed == [
        *[("1,000 events", weeks), ("2,000 events", weeks), ("20 more", weeks + 1)],
        *[("4,000 events", weeks), ("40 more", weeks + 1)],
    ]
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["delta_share"] == 50 / 40
    assert [size["events"] for size in found["sizes"]] == [2_000, 4_000]
    assert found["sizes"][0]["duckdb_seconds"] > 0
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_too_small_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**9))
    with pytest.raises(SystemExit, match=r"10,000,000 events take about .* has 1\.0 GB free"):
        scale.check_room(tmp_path, 10_000_000, [])
    scale.check_room(tmp_path, 10_000, [made_scaled(1_000)])
