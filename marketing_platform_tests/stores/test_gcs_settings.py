"""Cloud Storage is told who asks, unless it is an emulator; what is kept is never taken as landed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from marketing_platform.errors import StoreUnavailable
from marketing_platform.settings import Settings
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.objects_gcs import GcsObjects
from marketing_platform.stores.registry import open_stores


def test_a_profile_without_a_bucket_says_which_variable_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MARKETING_GCS_BUCKET", raising=False)
    with pytest.raises(StoreUnavailable, match="MARKETING_GCS_BUCKET"):
        open_stores(Settings(profile="servers", data_dir=tmp_path))


@pytest.mark.parametrize(
    ("endpoint", "anonymous"),
    [
        (None, False),
        ("http://127.0.0.1:4443", True),
        ("http://localhost:4443", True),
        ("http://[::1]:4443", True),
        ("https://storage.internal.example", False),
        ("https://localhost.example", False),
    ],
)
def test_nobody_is_anonymous_but_on_loopback(endpoint: str | None, anonymous: bool) -> None:
    assert GcsSettings(bucket="landed", endpoint=endpoint).anonymous is anonymous


def test_credentials_are_used_on_loopback_too_when_they_are_given(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    assert not GcsSettings(bucket="landed", endpoint="http://127.0.0.1:1", credentials_file=key).anonymous


def test_the_emulator_of_googles_clients_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://gcs:4443")
    settings = GcsSettings(bucket="landed")
    assert (settings.address, settings.anonymous) == ("http://gcs:4443", True)


def test_no_token_travels_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="https"):
        GcsSettings(bucket="landed", endpoint="http://storage.internal.example")


@pytest.mark.parametrize(
    "prefixes",
    [
        {"prefix": ""},
        {"prefix": "kept"},
        {"prefix": "a", "kept_prefix": "a/kept"},
        {"prefix": "reports/landing"},
        {"prefix": "a", "reports_prefix": "/"},
    ],
    ids=str,
)
def test_what_is_kept_cannot_land(prefixes: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="overlap"):
        GcsSettings.model_validate({"bucket": "landed", **prefixes})
    assert GcsSettings.model_validate({"bucket": "landed", "kept_bucket": "kept", **prefixes})


@pytest.mark.parametrize(
    ("given", "prefix"), [("in", "in/"), ("/in/", "in/"), ("a/b", "a/b/"), ("", ""), ("/", "")], ids=str
)
def test_a_prefix_is_a_folder(given: str, prefix: str) -> None:
    assert GcsSettings(bucket="landed", kept_bucket="kept", prefix=given).prefix == prefix


def test_without_credentials_it_says_where_they_come_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # asks no machine of Google's for credentials
    with pytest.raises(StoreUnavailable, match="MARKETING_GCS_CREDENTIALS_FILE"):
        next(GcsObjects(GcsSettings(bucket="landed")).list())


def test_a_key_file_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    objects = GcsObjects(GcsSettings(bucket="landed", credentials_file=file))
    for content in (None, "{}", "no JSON"):
        if content is not None:
            file.write_text(content)
        with pytest.raises(StoreUnavailable, match=r"key\.json"):
            next(objects.list())
