"""The dashboard's own key: made once, kept, no administrator's; one that is given goes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.access import Principal, Scope
from marketing_platform.access.api_settings import api_secret
from marketing_platform.access.keyring import KeyRing
from marketing_platform.cli.dashboard import told
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings

API = "http://127.0.0.1:8000"


def test_a_key_is_made_once_and_permits_no_administration(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    given = told(settings, API)
    assert set(given) == {"MARKETING_DASHBOARD_API_URL", "MARKETING_DASHBOARD_KEY_FILE"}
    file = Path(given["MARKETING_DASHBOARD_KEY_FILE"])
    assert file.stat().st_mode & 0o077 == 0
    key = file.read_text()
    assert told(settings, API) == given
    assert file.read_text() == key
    ring = KeyRing(open_records(settings).keys, lambda: api_secret(settings))
    ring.refresh()
    found = ring.find(key)
    assert isinstance(found, Principal)
    assert found.scopes == set(Scope) - {Scope.ADMIN}


def test_a_key_that_is_given_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETING_DASHBOARD_KEY", "mp_given")
    given = told(Settings(data_dir=tmp_path), API)
    assert given == {"MARKETING_DASHBOARD_API_URL": API, "MARKETING_DASHBOARD_KEY": "mp_given"}
    assert not list(tmp_path.iterdir())
