"""`make env`: random secrets, each once, and never a second time."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deploy.write_env import completed, main

_EXAMPLE = "# why\nA_PASSWORD=\nB_PASSWORD=\nPROFILE=emulator\n"


def _values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_each_name_gets_a_secret_of_its_own() -> None:
    values = _values(completed(_EXAMPLE, ""))
    assert set(values) == {"A_PASSWORD", "B_PASSWORD", "PROFILE"}
    assert values["PROFILE"] == "emulator"
    assert len(values["A_PASSWORD"]) == 48
    assert values["A_PASSWORD"] != values["B_PASSWORD"]
    assert values["A_PASSWORD"].isalnum()


def test_what_is_there_stays() -> None:
    present = "# mine\nA_PASSWORD=chosen\nOTHER=x\n"
    found = completed(_EXAMPLE, present)
    assert found.startswith(present)
    assert _values(found)["A_PASSWORD"] == "chosen"
    assert completed(_EXAMPLE, found) == found


def test_the_file_is_its_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".env.example").write_text(_EXAMPLE)
    main(tmp_path)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert _values((tmp_path / ".env").read_text())["A_PASSWORD"]
    assert "3 names added" in capsys.readouterr().out
