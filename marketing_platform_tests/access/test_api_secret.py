"""The secret under which keys are stored: drawn once where one machine serves, asked for on servers."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marketing_platform.access.api_settings import api_secret, write_private
from marketing_platform.errors import StoreUnavailable
from marketing_platform.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETING_API_SECRET", raising=False)
    monkeypatch.delenv("MARKETING_API_SECRET_FILE", raising=False)


def test_one_machine_draws_one_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    drawn = api_secret(settings)
    assert len(drawn) >= 32
    assert api_secret(settings) == drawn
    assert stat.S_IMODE((tmp_path / "data" / "api-secret").stat().st_mode) == 0o600
    assert api_secret(Settings(data_dir=tmp_path / "other")) != drawn


def test_all_who_begin_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        drawn = set(pool.map(lambda _: api_secret(Settings(data_dir=tmp_path)), range(64)))
    assert len(drawn) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["api-secret"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    write_private(tmp_path / "f", b"one")
    write_private(tmp_path / "f", b"other")
    assert (tmp_path / "f").read_bytes() == b"one"


def test_servers_are_given_one_or_do_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path, profile="servers")
    with pytest.raises(StoreUnavailable, match="MARKETING_API_SECRET is not set"):
        api_secret(settings)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("MARKETING_API_SECRET", "s" * 32)
    assert api_secret(settings) == b"s" * 32
    assert api_secret(Settings(data_dir=tmp_path)) == b"s" * 32


def test_it_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("f" * 40 + "\n")
    monkeypatch.setenv("MARKETING_API_SECRET_FILE", str(tmp_path / "secret"))
    assert api_secret(Settings(data_dir=tmp_path, profile="servers")) == b"f" * 40


@pytest.mark.parametrize("wrong", ["", "short", "changeme", "s" * 31])
def test_a_weak_one_is_refused_and_not_repeated(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETING_API_SECRET", wrong)
    with pytest.raises(StoreUnavailable, match="MARKETING_API_SECRET") as raised:
        api_secret(Settings())
    assert len(wrong) < 7 or wrong not in str(raised.value)
