"""`ask "…"` on a release that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import command
from marketing_platform_tests.serving.conftest import Platform


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    settings = Settings(data_dir=tmp_path_factory.mktemp("platform"))  # pyright: ignore[reportCallIssue]
    Platform(settings, open_stores(settings), open_records(settings).shelf).publish(1)
    return str(settings.data_dir)


def test_answers_and_follow_ups_and_refusals(data_dir: str, tmp_path: Path) -> None:
    remembered = str(tmp_path / "context.json")
    asked = command(
        "ask",
        "engagement by channel yesterday vs the day before",
        "--context",
        remembered,
        "--json",
        data_dir=data_dir,
    )
    refused = asked.document
    assert (asked.code, refused["declined"]) == (1, True)  # there is data of one day only

    first = command("ask", "engagement by channel today", "--context", remembered, data_dir=data_dir)
    assert first.code == 0, first.err
    assert first.out.startswith("Engagement by channel, highest first: ")
    after = command("ask", "and by campaign?", "--context", remembered, "--json", data_dir=data_dir).document
    assert after["release_id"] == "r-gen1"
    assert after["intent"]["by"] == ["campaign"]
    assert after["declined"] is False

    unknown = command("ask", "what is our profit?", data_dir=data_dir)
    assert unknown.code == 1
    assert "Declined: I do not know this word: “profit”" in unknown.out


def test_without_a_release_it_says_how_to_make_one(tmp_path: Path) -> None:
    refused = command("ask", "spend last month", data_dir=str(tmp_path))
    assert (refused.code, refused.out) == (1, "")
    assert "marketing-platform run" in refused.err
