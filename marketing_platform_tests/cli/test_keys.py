"""`keys`: made and shown once, listed without what makes them keys, rotated, revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.access.keys import key_id
from marketing_platform.cli.keys import demo_key
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform_tests.acceptance.installation import Finished, command

_CREATE = ("keys", "create", "--name", "shop", "--scope", "read:recommendations", "--scope", "admin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def said(folder: Path, *arguments: str) -> Finished:
    finished = command(*arguments, data_dir=str(folder))
    assert finished.code == 0, finished.err
    return finished


def test_a_key_is_printed_once_and_never_again(folder: Path) -> None:
    key = said(folder, *_CREATE, "--owner", "anna").out.strip()
    public = key_id(key)
    assert public is not None
    listed = said(folder, "keys", "list", "--json")
    assert [(one["key_id"], one["owner"], one["state"]) for one in listed.document] == [
        (public, "anna", "active")
    ]
    assert listed.document[0]["scopes"] == ["admin", "read:recommendations"]
    shown = said(folder, "keys", "list").out
    for text in (listed.out, shown):
        assert key.split("_")[2] not in text.replace("\n", "")


def test_for_machines_it_is_one_document(folder: Path) -> None:
    made = said(folder, *_CREATE, "--expires", "never", "--json").document
    assert key_id(made["key"]) == made["key_id"]
    assert made["expires_at"] is None
    limited = said(folder, *_CREATE, "--expires", "90d", "--json").document
    lasts = datetime.fromisoformat(limited["expires_at"]) - datetime.fromisoformat(limited["created_at"])
    assert lasts == timedelta(days=90)


def test_rotating_and_revoking(folder: Path) -> None:
    old = said(folder, *_CREATE, "--json").document
    new = said(folder, "keys", "rotate", old["key_id"], "--overlap", "2h", "--json").document
    assert (new["replaces"], new["scopes"]) == (old["key_id"], old["scopes"])
    ends = datetime.fromisoformat(new["replaced_ends_at"])
    assert timedelta(minutes=119) < ends - datetime.now(UTC) <= timedelta(hours=2)
    states = {one["key_id"]: one["state"] for one in said(folder, "keys", "list", "--json").document}
    assert states == {old["key_id"]: "ending", new["key_id"]: "active"}
    assert said(folder, "keys", "revoke", old["key_id"], "--json").document["state"] == "revoked"
    assert "is revoked" in said(folder, "keys", "revoke", new["key_id"]).out


@pytest.mark.parametrize(
    ("arguments", "code", "wanted"),
    [
        (["keys", "create", "--name", "x"], 2, "--scope"),
        ([*_CREATE, "--scope", "everything"], 2, "everything"),
        ([*_CREATE, "--expires", "soon"], 2, "24h"),
        ([*_CREATE, "--expires", "-1d"], 2, "24h"),
        (["keys", "revoke", "mp_0000000000"], 1, "keys list"),
        (["keys", "rotate", "mp_0000000000"], 1, "keys list"),
        (["keys", "rotate", "mp_0000000000", "--overlap", "1y"], 2, "24h"),
    ],
    ids=range(7),
)
def test_mistakes_are_told(folder: Path, arguments: list[str], code: int, wanted: str) -> None:
    finished = command(*arguments, data_dir=str(folder))
    assert finished.code == code
    assert wanted in finished.err
    assert "Traceback" not in finished.err


def test_servers_need_a_secret_before_a_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETING_API_SECRET", raising=False)
    finished = command(*_CREATE, data_dir=str(folder), profile="servers")
    assert finished.code == 1
    assert "MARKETING_API_SECRET is not set" in finished.err


def test_the_demos_key_is_kept_and_made_anew_when_it_has_ended(folder: Path) -> None:
    settings = Settings(data_dir=folder)
    key = demo_key(settings)
    assert demo_key(settings) == key
    assert ((folder / "demo-key").stat().st_mode & 0o777) == 0o600
    open_records(settings).keys.revoke(str(key_id(key)), at=datetime.now(UTC), who="tests")
    other = demo_key(settings)
    assert other != key
    assert demo_key(settings) == other


def test_whoever_serves_without_a_key_is_told_how_to_make_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.run", lambda _settings: None)
    assert "marketing-platform keys create" in said(folder, "serve").err
    said(folder, *_CREATE)
    assert "keys create" not in said(folder, "serve").err
