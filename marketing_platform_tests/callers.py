"""Who calls the API in tests: a key with the scopes asked for, and a client that sends it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from marketing_platform.access import Scope
from marketing_platform.access.api_settings import api_secret
from marketing_platform.access.issuing import issue
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings


def new_key(
    settings: Settings, scopes: Collection[Scope] = tuple(Scope), *, lifetime: timedelta | None = None
) -> str:
    """A key of the installation, made as `keys create` makes one."""
    key, _ = issue(
        open_records(settings).keys,
        api_secret(settings),
        name="tests",
        owner="tests",
        scopes=scopes,
        lifetime=lifetime,
        who="tests",
        now=datetime.now(UTC),
    )
    return key


def bearer(credential: str) -> dict[str, str]:
    """The header that carries a key or a token."""
    return {"Authorization": f"Bearer {credential}"}


def client_of(
    settings: Settings, app: FastAPI, scopes: Collection[Scope] = tuple(Scope), **options: Any
) -> TestClient:
    """A client of the application over this installation that sends a key with these scopes."""
    return TestClient(app, headers=bearer(new_key(settings, scopes)), **options)
