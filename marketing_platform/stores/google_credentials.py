"""Who asks Google's servers: nobody, a service account with a key file, or the default of the machine.

Which of them is said by each server's settings; sessions are `gcs_sessions.py`'s and `bigquery_jobs.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import google.auth
from google.auth.credentials import AnonymousCredentials, Credentials
from google.oauth2 import service_account

from marketing_platform.errors import StoreUnavailable


def credentials_of(
    file: Path | None, *, anonymous: bool, scopes: Sequence[str], variable: str
) -> Credentials:
    """The credentials; StoreUnavailable names `variable` when its file is no service account's key."""
    if anonymous:
        return AnonymousCredentials()
    if file is None:
        credentials, _ = google.auth.default(scopes=scopes)
        return credentials
    try:
        return service_account.Credentials.from_service_account_file(str(file), scopes=scopes)
    except (OSError, ValueError) as error:
        raise StoreUnavailable(f"{variable} is {file}, which is no service account's key: {error}") from error
