"""Who is asked who they are, and what would send a credential over an open line."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from marketing_platform.stores.bigquery_settings import BigQuerySettings


def settings(**given: str) -> BigQuerySettings:
    return BigQuerySettings.model_validate({"project": "a-project", **given})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_an_emulator_on_loopback_is_told_no_credentials(host: str) -> None:
    assert settings(endpoint=f"http://{host}:9050").anonymous


def test_google_itself_and_other_hosts_are_told_who_asks() -> None:
    assert not settings().anonymous
    assert not settings(endpoint="https://bigquery.example.com").anonymous
    assert not settings(endpoint="https://127.0.0.1:9050", credentials_file="key.json").anonymous


@pytest.mark.parametrize("given", [{}, {"credentials_file": "key.json"}])
def test_credentials_are_never_sent_unencrypted(given: dict[str, str]) -> None:
    host = "127.0.0.1" if given else "bigquery.example.com"
    with pytest.raises(ValidationError, match="must begin with https"):
        settings(endpoint=f"http://{host}:9050", **given)


def test_nobody_pays_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="project"):
        BigQuerySettings.model_validate({})
    monkeypatch.setenv("MARKETING_BIGQUERY_PROJECT", "from-the-environment")
    monkeypatch.setenv("MARKETING_BIGQUERY_MAXIMUM_BYTES_BILLED", "0")
    with pytest.raises(ValidationError, match="maximum_bytes_billed"):
        BigQuerySettings()  # pyright: ignore[reportCallIssue]
