"""`marketing-platform sources`: what people and machines read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from marketing_platform.cli.sources import app

DECLARED = """\
source: spend
description: Ad spend.
path: spend*.csv
format: {type: csv}
tables:
  ad_spend:
    columns: {date: day, spend: cost}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spend.yaml").write_text(DECLARED, encoding="utf-8")
    (tmp_path / "spend_1.csv").write_bytes(b"day,cost\n2025-01-01,1.50\n2025-01-02,lots\n2025-01-03\n")
    return tmp_path


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_validate_lists_the_sources(folder: Path) -> None:
    result = _run("validate", "--sources", folder, "--json")
    assert result.exit_code == 0
    listed = {"source": "spend", "path": ["spend*.csv"], "format": "csv", "tables": ["ad_spend"]}
    assert json.loads(result.stdout) == {"sources": [listed], "errors": []}
    assert "spend*.csv" in _run("validate", "--sources", folder).stdout


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_validate_tells_every_error(folder: Path, option: list[str]) -> None:
    (folder / "spend.yaml").write_text(DECLARED.replace("csv}", "cvs}").replace("cost}", "cost, x: y}"))
    result = _run("validate", "--sources", folder, *option)
    assert result.exit_code == 1
    assert "spend.yaml:4: format.type: expected one of" in result.stdout
    assert "spend.yaml:7: tables.ad_spend.columns.x: expected one of" in result.stdout
    assert "Traceback" not in result.output


def test_preview_shows_rows_and_problems(folder: Path) -> None:
    result = _run("preview", folder / "spend_1.csv", "--sources", folder, "--json")
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert (shown["source"], shown["records"]) == ("spend", 3)
    assert [row["spend"] for row in shown["tables"]["ad_spend"]] == ["1.500000", None]
    assert [problem["reason"] for problem in shown["problems"]] == ["spend unreadable", "too few columns"]
    assert "spend unreadable" in _run("preview", folder / "spend_1.csv", "--sources", folder).stdout
    one = _run("preview", folder / "spend_1.csv", "--sources", folder, "--rows", 1, "--json")
    assert json.loads(one.stdout)["records"] == 1


def test_preview_of_a_file_no_source_matches(folder: Path) -> None:
    other = folder / "other.csv"
    other.write_bytes(b"day,cost\n")
    result = _run("preview", other, "--sources", folder)
    assert result.exit_code == 1
    assert "no source matches" in result.stdout
    named = _run("preview", other, "--sources", folder, "--source", "spend", "--json")
    assert json.loads(named.stdout)["records"] == 0
    assert _run("preview", other, "--sources", folder, "--source", "none").exit_code == 1
