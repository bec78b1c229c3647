"""One process's way to Cloud Storage: a client made on first use, deadlines, retries and errors.

What is stored, and under which names, belongs to `objects_gcs.py` and `reports_gcs.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from google.api_core.exceptions import (
    Forbidden,
    GoogleAPICallError,
    NotFound,
    RetryError,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Bucket, Client
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import RequestException
from requests.adapters import HTTPAdapter

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.google_credentials import credentials_of

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_UNREACHED = (
    Forbidden,
    GoogleAuthError,
    NotFound,
    RequestException,
    RetryError,
    ServerError,
    TooManyRequests,
    Unauthorized,
)


class GcsSession:
    """The client of one process; it travels to another process as its settings."""

    def __init__(self, settings: GcsSettings) -> None:
        self.settings = settings
        # What every request is given: the client's own deadlines are a minute and more.
        self.patience: dict[str, Any] = {
            "timeout": (settings.connect_seconds, settings.read_seconds),
            "retry": DEFAULT_RETRY.with_delay(0.2, 5.0, 2.0).with_timeout(settings.retry_seconds),
        }
        self._client: Client | None = None
        self._making = threading.Lock()

    def __reduce__(self) -> tuple[type[GcsSession], tuple[GcsSettings]]:
        return GcsSession, (self.settings,)

    @property
    def client(self) -> Client:
        """The client; making it reads credentials and contacts nobody but who gives them out."""
        with self._making:
            if self._client is None:
                self._client = self._made()
            return self._client

    @property
    def landing(self) -> Bucket:
        """The bucket in which objects land; it is not looked up."""
        return self.client.bucket(self.settings.bucket)

    @property
    def keeping(self) -> Bucket:
        """The bucket of kept versions and reports; it is not looked up."""
        return self.client.bucket(self.settings.keeping)

    @contextmanager
    def reaching(self) -> Generator[None]:
        """Failures to reach the buckets inside the block become StoreUnavailable.

        So does NotFound: the block handles that of an object itself.
        """
        try:
            yield
        except _UNREACHED as error:
            raise StoreUnavailable(f"{self.settings.where} {_told(error)}") from error

    def require(self, *buckets: Bucket) -> None:
        """Tell a missing object from a missing bucket: NotFound when one of these is missing."""
        for bucket in buckets:
            # Asking for the bucket itself would take a permission that nothing else needs.
            next(iter(self.client.list_blobs(bucket, max_results=1, **self.patience)), None)

    def _made(self) -> Client:
        settings = self.settings
        credentials = credentials_of(
            settings.credentials_file,
            anonymous=settings.anonymous,
            scopes=_SCOPES,
            variable="MARKETING_GCS_CREDENTIALS_FILE",
        )
        http = AuthorizedSession(credentials, refresh_timeout=settings.connect_seconds)
        for scheme in ("https://", "http://"):
            http.mount(scheme, HTTPAdapter(pool_maxsize=settings.pool_size))
        return Client(
            project=None,  # only needed to make buckets
            credentials=credentials,
            client_options={"api_endpoint": settings.address} if settings.address else None,
            _http=http,
        )


def _told(error: Exception) -> str:
    """What happened, and what to do, in one sentence each."""
    if isinstance(error, DefaultCredentialsError):
        return (
            "cannot be asked without credentials: set MARKETING_GCS_CREDENTIALS_FILE, or the application"
            " default credentials (GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`)"
        )
    if isinstance(error, Forbidden | Unauthorized | GoogleAuthError):
        return (
            f"refuses: {_cause(error)}. Give the account the role Storage Object Admin on the buckets, or set"
            " other credentials, then run again"
        )
    if isinstance(error, NotFound):
        return (
            f"lacks a bucket: {_cause(error)}. Make it, or mend MARKETING_GCS_BUCKET or"
            " MARKETING_GCS_KEPT_BUCKET, then run again"
        )
    return (
        f"does not answer: {_cause(error)}. Nothing half-written is visible; see that it can be reached and"
        " the MARKETING_GCS_ settings are right, then run again"
    )


def _cause(error: Exception) -> str:
    if isinstance(error, RetryError) and error.cause is not None:
        return _cause(error.cause)
    if isinstance(error, GoogleAPICallError) and error.code is not None:
        details = [str(detail["message"]) for detail in error.errors if "message" in detail]
        return f"HTTP {int(error.code)} ({(details or [HTTPStatus(error.code).phrase])[0][:200]})"
    return (str(error) or type(error).__name__).splitlines()[0][:200]
