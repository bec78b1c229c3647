"""`kpis list | validate | show` on a release that is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Finished, command
from marketing_platform_tests.conftest import PROJECT
from marketing_platform_tests.serving.conftest import Platform


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    settings = Settings(data_dir=tmp_path_factory.mktemp("platform"))  # pyright: ignore[reportCallIssue]
    Platform(settings, open_stores(settings), open_records(settings).shelf).publish(1)
    return str(settings.data_dir)


def show(data_dir: str, *arguments: str) -> Finished:
    return command("kpis", "show", *arguments, data_dir=data_dir, columns="200")


def test_all_kpis_are_listed_with_what_they_are_made_of() -> None:
    listed = command("kpis", "list", "--json").document
    (cac,) = [kpi for kpi in listed if kpi["kpi"] == "cac"]
    assert (cac["numerator"], cac["denominator"], cac["direction"]) == ("spend", "conversions", "down")
    assert "country" in cac["dimensions"]
    assert "16 KPIs" in command("kpis", "list").out


def test_declarations_are_right_or_it_is_said_what_is_not(tmp_path: Path) -> None:
    assert "money in USD" in command("kpis", "validate").out
    declared = (Settings().kpis_dir / "registry.yaml").read_text()  # pyright: ignore[reportCallIssue]
    (tmp_path / "registry.yaml").write_text(declared.replace("numerator: spend", "numerator: spent"))
    (tmp_path / "workspace.yaml").write_text("time_zone: Europe/Entenhausen\n")
    refused = command("kpis", "validate", "--kpis", str(tmp_path))
    assert refused.code == 1
    assert "registry.yaml" in refused.out
    assert "spent" in refused.out


def test_what_is_watched_is_validated_too(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "kpis", tmp_path, dirs_exist_ok=True)
    (tmp_path / "watch.yaml").write_text("forecasts: [spend, roas]\n")
    refused = command("kpis", "validate", "--kpis", str(tmp_path))
    assert refused.code == 1
    assert "watch.yaml:1: forecasts.1: expected one of spend" in refused.out


def test_figures_are_shown_with_their_changes(data_dir: str) -> None:
    shown = show(data_dir, "cac", "--by", "country", "--from", "2026-11-01", "--to", "2026-11-20")
    assert shown.code == 0, shown.err
    assert "against 2026-10-12 to 2026-10-31" in shown.out
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["AT", "–"] in lines
    (germany,) = [line for line in lines if line[:1] == ["DE"]]
    assert germany[1:4] == ["9.75", "USD", "▼"]
    assert germany[-1] == "better"
    assert "there were no conversions" in show(data_dir, "cac", "--filter", "country=AT").out


def test_the_same_for_machines(data_dir: str) -> None:
    document = show(data_dir, "spend", "--against", "year-before", "--json").document
    assert document["release_id"] == "r-gen1"
    assert document["against"]["to"] == "2025-11-20"
    assert len(document["missing_before"]) == 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("profit",), "no such KPI"),
        (("aov", "--by", "campaign"), "cannot be broken down by campaign"),
        (("spend", "--against", "tomorrow"), "expected previous"),
        (("spend", "--filter", "country"), "dimension=value"),
    ],
    ids=["kpi", "dimension", "against", "filter"],
)
def test_what_cannot_be_shown_is_refused(data_dir: str, arguments: tuple[str, ...], message: str) -> None:
    refused = show(data_dir, *arguments)
    assert refused.code == 1
    assert message in refused.err


def test_without_a_release_it_says_how_to_make_one(tmp_path: Path) -> None:
    refused = show(str(tmp_path))
    assert (refused.code, refused.out) == (1, "")
    assert "marketing-platform run" in refused.err


def test_unusual_days_are_listed_with_what_was_expected(data_dir: str) -> None:
    shown = command("kpis", "anomalies", data_dir=data_dir, columns="200")
    (line,) = [line.split() for line in shown.out.splitlines() if "2026-11-20" in line and "Meta" in line]
    assert line == ["2026-11-20", "spend", "Meta", "100.00", "40.00", "20.00", "60.00"]
    assert "spend: 56 days of 2 series" in shown.out
    document = command("kpis", "anomalies", "--json", data_dir=data_dir).document
    assert (document["release_id"], document["anomalies"][0]["member"]) == ("r-gen1", "Meta")
    assert command("kpis", "anomalies", "cac", "--json", data_dir=data_dir).document["anomalies"] == []


def test_forecasts_are_listed_with_how_far_such_were_off(data_dir: str) -> None:
    shown = command("kpis", "forecasts", data_dir=data_dir, columns="200")
    assert ["2026-11-21", "1,001.00", "1,001.00", "1,001.00"] in [
        line.split() for line in shown.out.splitlines()
    ]
    assert "seasonal naive, tried from 6 past days: MASE 0.00" in shown.out
    assert "revenue: there is no data" in shown.out
    document = command("kpis", "forecasts", "spend", "--json", data_dir=data_dir).document
    assert [len(document["forecasts"][0]["days"]), document["declined"]] == [28, []]


@pytest.mark.parametrize("of", ["anomalies", "forecasts"])
def test_findings_need_a_kpi_that_there_is_and_a_release(data_dir: str, of: str, tmp_path: Path) -> None:
    assert "no such KPI" in command("kpis", of, "profit", data_dir=data_dir).err
    assert "marketing-platform run" in command("kpis", of, data_dir=str(tmp_path)).err
