"""Reports as indented JSON objects below one prefix of a bucket; people open them."""

from __future__ import annotations

from typing import Any

import orjson
from google.api_core.exceptions import NotFound
from google.cloud.storage import Blob

from marketing_platform.errors import UnknownName
from marketing_platform.stores.gcs_sessions import GcsSession
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.reports_folder import readable

_SUFFIX = ".json"


class GcsReports:
    """Implements `Reports`."""

    def __init__(self, settings: GcsSettings) -> None:
        self._prefix = settings.reports_prefix
        self._session = GcsSession(settings)

    def write(self, name: str, document: dict[str, Any]) -> str:
        """Store a report, complete or not at all; returns its `gs://` address."""
        blob = self._blob(name)
        with self._session.reaching():
            blob.upload_from_string(
                readable(document),
                content_type="application/json",
                checksum="crc32c",
                **self._session.patience,
            )
        return f"gs://{self._session.settings.keeping}/{blob.name}"

    def read(self, name: str) -> dict[str, Any]:
        """A stored report."""
        with self._session.reaching():
            try:
                return orjson.loads(self._blob(name).download_as_bytes(**self._session.patience))
            except NotFound:
                self._session.require(self._session.keeping)
                raise UnknownName(f"there is no report {name!r}") from None

    def names(self) -> list[str]:
        """Every complete report."""
        with self._session.reaching():
            listed = self._session.client.list_blobs(
                self._session.keeping,
                prefix=self._prefix,
                delimiter="/",
                fields="items(name),nextPageToken",
                **self._session.patience,
            )
            names = [str(blob.name).removeprefix(self._prefix) for blob in listed]
        return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))

    def drop(self, name: str) -> None:
        """Remove a report."""
        with self._session.reaching():
            try:
                self._blob(name).delete(**self._session.patience)
            except NotFound:
                self._session.require(self._session.keeping)

    def _blob(self, name: str) -> Blob:
        return self._session.keeping.blob(f"{self._prefix}{name}{_SUFFIX}")
