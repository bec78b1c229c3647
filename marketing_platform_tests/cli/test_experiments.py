"""`experiments list | validate | assign | results` before there is a release, and on one that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Finished, command
from marketing_platform_tests.serving.conftest import Platform


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    settings = Settings(data_dir=tmp_path_factory.mktemp("platform"))  # pyright: ignore[reportCallIssue]
    Platform(settings, open_stores(settings), open_records(settings).shelf).publish(1)
    return str(settings.data_dir)


def experiments(*arguments: str, data_dir: str | None = None) -> Finished:
    folder = {"data_dir": data_dir} if data_dir else {}
    return command("experiments", *arguments, **folder, columns="200")


def test_declared_experiments_are_listed() -> None:
    (one,) = experiments("list", "--json").document
    assert (one["experiment"], one["control"], one["within_days"]) == ("product_list", "personal", 7)
    assert "personal*" in experiments("list").out


def test_declarations_are_right_or_it_is_said_what_is_not(tmp_path: Path) -> None:
    assert (
        "1 experiment(s) by 5 metrics are right, 5.0% of all users are in none" in experiments("validate").out
    )
    (tmp_path / "holdout.yaml").write_text("share: 2\n")
    refused = experiments("validate", "--experiments", str(tmp_path))
    assert refused.code == 1
    assert "holdout.yaml:1: share: expected a number below 1, found 2" in refused.out
    assert len(experiments("validate", "--experiments", str(tmp_path), "--json").document["errors"]) == 2


def test_who_is_in_which_arm(tmp_path: Path, data_dir: str) -> None:
    """Of declarations before there is a release; of the release then, whatever is declared."""
    before = experiments(
        "assign", "u-000020", "--day", "2026-06-10", "--json", data_dir=str(tmp_path)
    ).document
    assert (before["release_id"], before["held_out"]) == (None, False)
    (of_declarations,) = before["assignments"]
    assert (of_declarations["experiment"], of_declarations["takes_part"]) == ("product_list", True)
    after = experiments("assign", "u-2", "--json", data_dir=data_dir).document
    assert after["release_id"] == "r-gen1"
    (of_release,) = after["assignments"]
    assert (of_release["experiment"], of_release["variant"], of_release["list"]) == (
        *("content_list", "other"),
        "trending",
    )
    assert "content_list" in experiments("assign", "u-2", data_dir=data_dir).out


def test_results_are_shown_with_what_they_mean(data_dir: str) -> None:
    shown = experiments("results", data_dir=data_dir)
    assert shown.code == 0, shown.err
    assert "content_list: running, 1,200 users" in shown.out
    (row,) = [line.split() for line in shown.out.splitlines() if line.split()[:1] == ["other"]]
    assert row[1:6] == ["600", "purchase", "90", "15.00%", "+125.0%"]
    document = experiments("results", "content_list", "--json", data_dir=data_dir).document
    assert document["results"][0]["arms"][1]["metrics"][0]["converted"] == 90


def test_what_is_not_there_is_named(tmp_path: Path, data_dir: str) -> None:
    unknown = experiments("results", "nope", data_dir=data_dir)
    assert unknown.code == 1
    assert "there is no experiment 'nope'; r-gen1 has content_list" in unknown.err
    assert "nothing is released yet" in experiments("results", data_dir=str(tmp_path)).err
