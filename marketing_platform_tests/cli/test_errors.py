"""What goes wrong is said in a sentence on stderr: no traceback, and nothing on stdout that is no answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform_tests.acceptance.installation import Finished, command

_WRONG = """source: chat
description: Events.
path: "*.csv"
format: {type: csv}
tables:
  events:
    columns: {user_id: user_id, mesage: text}
"""

_USERS = """Customer ID;Name;E-mail;Country;Language;Customer since;Newsletter
u-1;Ada;ada@example.org;IT;it-IT;10.06.2024;yes
"""


def _failed(finished: Finished, *said: str) -> None:
    assert finished.code in (1, 2)
    assert finished.out == ""
    assert "Traceback" not in finished.err
    for words in said:
        assert words in finished.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("batches", "show", "nothing"), ("no batch 'nothing'", "marketing-platform batches")),
        (("batches", "accept", "nothing", "--why", "so"), ("no batch 'nothing'",)),
        (("quarantine", "show", "nothing"), ("no batch 'nothing'",)),
        (("quarantine", "export", "nothing", "--to", "x.ndjson"), ("no batch 'nothing'",)),
        (("quarantine", "replay", "nothing"), ("no batch 'nothing'",)),
        (("releases", "show"), ("nothing was released yet", "marketing-platform run")),
        (("releases", "diff"), ("nothing was released yet",)),
        (("releases", "rollback"), ("nothing was released yet",)),
        (("releases", "show", "r-20200101-000000-0000"), ("no such release",)),
        (("releases", "rollback", "../../etc/passwd"), ("no release id",)),
        (("releases", "pin", "r-20200101-000000-0000"), ("no such release",)),
    ],
)
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_what_is_not_there(
    tmp_path: Path, arguments: tuple[str, ...], said: tuple[str, ...], json: tuple[str, ...]
) -> None:
    if json and arguments[1] in {"export", "pin"}:
        pytest.skip("has no --json")
    _failed(command(*arguments, *json, data_dir=str(tmp_path)), *said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--input", "/no/such/folder"), ("--input", "does not exist")),
        (("run", "--sources", "/no/such/folder"), ("--sources", "does not exist")),
        (("batches", "accept", "a@1"), ("--why",)),
        (("batches", "accept", "a@1", "--why", "  "), ("say why",)),
        (("releases", "collect", "--keep", "0"), ("--keep",)),
        (("sources", "preview", "/no/such/file.csv"), ("does not exist",)),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[str, ...], said: tuple[str, ...]) -> None:
    finished = command(*arguments, data_dir=str(tmp_path))
    assert finished.code == 2
    _failed(finished, *said)


def test_a_wrong_declaration_is_named_with_file_line_key_and_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(_WRONG)
    finished = command("run", "--sources", str(tmp_path), "--json", data_dir=str(tmp_path / "data"))
    _failed(finished, "chat.yaml:7", "mesage", "expected", "did you mean 'message'?")


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    _failed(command("batches", data_dir=str(tmp_path), chunk_rows="many"), "MARKETING_CHUNK_ROWS", "many")


def test_where_nothing_landed_there_is_no_release(tmp_path: Path) -> None:
    finished = command("run", "--json", data_dir=str(tmp_path))
    assert finished.code == 1
    assert finished.document["release_id"] is None
    assert set(finished.document) == {
        *("release_id", "rows_landed", "rows_valid", "rows_quarantined"),
        *("users", "campaigns", "vectors", "edges", "seconds"),
    }


@pytest.mark.slow
def test_an_encoder_that_cannot_be_opened_is_named_though_no_step_began(tmp_path: Path) -> None:
    (tmp_path / "landing" / "crm").mkdir(parents=True)
    (tmp_path / "landing" / "crm" / "users.csv").write_text(_USERS)
    finished = command("run", data_dir=str(tmp_path), encoder="openai", settle_seconds="0")
    _failed(finished, "set MARKETING_ENCODER_MODEL")
    assert "An exception was thrown" not in finished.err


@pytest.mark.parametrize("group", ["batches", "quarantine show", "releases list"])
def test_lists_of_nothing_are_empty(tmp_path: Path, group: str) -> None:
    assert command(*group.split(), "--json", data_dir=str(tmp_path)).document == []
    assert command(*group.split(), data_dir=str(tmp_path)).code == 0
