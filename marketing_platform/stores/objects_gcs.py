"""The landing zone as a bucket of Cloud Storage, and the kept copies of what landed in it.

Objects in the landing bucket belong to whoever writes them and may be replaced at any moment. Each
generation that is taken is therefore read once for its hash and then copied, inside Cloud Storage, to
`kept/<sha256>`; only the copy is loaded, today and in a replay next year. Nothing is ever held in
memory but a portion.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import google_crc32c
from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud.storage import Blob

from marketing_platform.errors import AlreadyThere, ChangedWhileRead, StoreUnavailable, UnknownName
from marketing_platform.stores.gcs_sessions import GcsSession
from marketing_platform.stores.gcs_settings import GcsSettings
from marketing_platform.stores.landed_names import is_whole
from marketing_platform.stores.protocols import LandedObject
from marketing_platform.stores.stream import STREAM_FOLDER

_LISTED = "items(name,generation,size,updated),nextPageToken"
_SPOOL_BYTES = 8 << 20
# What was uploaded compressed is not unpacked on the way; nobody knows the checksum of a portion.
_AS_STORED: dict[str, Any] = {"raw_download": True, "checksum": None}


class GcsObjects:
    """Implements `Objects` on a landing prefix, which others write, and a kept prefix, which is ours."""

    def __init__(self, settings: GcsSettings) -> None:
        self._settings = settings
        self._session = GcsSession(settings)
        self._globs = tuple(glob.strip() for glob in settings.names.split(","))

    def list(self, *, below: str = "", start: str = "") -> Iterator[LandedObject]:
        """Every object below the prefix whose name is asked for, page by page, in order of name."""
        prefix = self._settings.prefix
        with self._session.reaching():
            listed = self._session.client.list_blobs(
                self._session.landing,
                prefix=prefix + (f"{below}/" if below else ""),
                start_offset=prefix + start if start else None,
                page_size=self._settings.page_size,
                fields=_LISTED,
                **self._session.patience,
            )
            for blob in listed:
                landed = self._describe(blob)
                if is_whole(landed.name) and self._is_asked_for(landed.name):
                    yield landed

    def snapshot(self, landed: LandedObject) -> tuple[str, int]:
        """Hash that generation and copy it server-side; ChangedWhileRead when it is gone by then."""
        source = self._session.landing.blob(
            self._settings.prefix + landed.name, generation=int(landed.generation)
        )
        digest = hashlib.sha256()
        check = google_crc32c.Checksum()
        with self._session.reaching():
            try:
                for portion in _StoredBytes(source, landed.size, self._session).portions():
                    digest.update(portion)
                    check.update(portion)
                if source.crc32c not in {None, base64.b64encode(check.digest()).decode()}:
                    raise OSError(f"{landed.name} arrived damaged; it is taken on a later look")
                self._copy(source, self._kept(digest.hexdigest()))
            except (NotFound, UnknownName):
                self._session.require(self._session.landing, self._session.keeping)
                raise ChangedWhileRead(
                    f"{landed.name} was replaced or removed while it was read; what is there now is taken"
                    " on a later look"
                ) from None
        return digest.hexdigest(), landed.size

    def open(self, content_hash: str) -> BinaryIO:
        """The kept bytes with that hash, as a stream that only goes forward."""
        kept = self._kept(content_hash)
        with self._session.reaching():
            try:
                kept.reload(**self._session.patience)
            except NotFound:
                self._session.require(self._session.keeping)
                raise UnknownName(f"no kept object has the content hash {content_hash}") from None
        # Not through `kept`, which now knows a link to its bytes: behind another endpoint it leads elsewhere.
        stream = _StoredBytes(self._kept(content_hash), kept.size or 0, self._session)
        return io.BufferedReader(stream, buffer_size=self._settings.portion_bytes)

    def forget(self, name: str, content_hash: str) -> None:
        """Delete the kept copy, and the landed generation where it still has those bytes."""
        landed = self._session.landing.blob(self._settings.prefix + name)
        with self._session.reaching():
            if not name.startswith(f"{STREAM_FOLDER}/"):
                with suppress(NotFound):
                    self._delete_if_same(landed, content_hash)
            with suppress(NotFound):
                self._kept(content_hash).delete(**self._session.patience)

    def _delete_if_same(self, landed: Blob, content_hash: str) -> None:
        landed.reload(**self._session.patience)
        digest = hashlib.sha256()
        for portion in _StoredBytes(landed, landed.size or 0, self._session).portions():
            digest.update(portion)
        if digest.hexdigest() == content_hash:
            with suppress(PreconditionFailed):  # replaced meanwhile
                landed.delete(if_generation_match=landed.generation, **self._session.patience)

    def put(self, name: str, content: Iterable[bytes]) -> LandedObject:
        """Land an object; the bucket shows it, and replaces an older one, only when it is complete."""
        return self._upload(name, content)

    def create(self, name: str, content: Iterable[bytes]) -> LandedObject:
        """As `put`, unless the name is taken."""
        try:
            return self._upload(name, content, if_generation_match=0)
        except PreconditionFailed:
            raise AlreadyThere(f"{name} has landed before; it stays as it is") from None

    def _upload(self, name: str, content: Iterable[bytes], **conditions: Any) -> LandedObject:
        blob = self._session.landing.blob(
            self._settings.prefix + name, chunk_size=self._settings.portion_bytes
        )
        # On disk first: a sender that fails has sent nothing, and what was sent can be sent again.
        with SpooledTemporaryFile(max_size=_SPOOL_BYTES) as whole:
            for portion in content:
                whole.write(portion)
            size = whole.tell()
            whole.seek(0)
            with self._session.reaching():
                blob.upload_from_file(
                    whole, size=size, checksum="crc32c", **conditions, **self._session.patience
                )
        return self._describe(blob)

    def _copy(self, source: Blob, target: Blob) -> None:
        token = None
        try:
            while True:
                token, _, _ = target.rewrite(
                    source, token=token, if_generation_match=0, **self._session.patience
                )
                if token is None:
                    return
        except PreconditionFailed:
            return  # these bytes are kept already

    def _kept(self, content_hash: str) -> Blob:
        return self._session.keeping.blob(self._settings.kept_prefix + content_hash)

    def _is_asked_for(self, name: str) -> bool:
        """By the globs; what our own consumer landed is always asked for, or its chain would end."""
        return name.startswith(f"{STREAM_FOLDER}/") or any(fnmatchcase(name, glob) for glob in self._globs)

    def _describe(self, blob: Blob) -> LandedObject:
        return LandedObject(
            name=str(blob.name).removeprefix(self._settings.prefix),
            generation=str(blob.generation),
            size=blob.size or 0,
            updated_at=cast(datetime, blob.updated).astimezone(UTC),
        )


class _StoredBytes(io.RawIOBase):
    """The bytes of an object as they are stored; each read is one request, resumed if it breaks off.

    It only goes forward: readers that must seek make a copy, which costs less than requests back and forth.
    """

    def __init__(self, blob: Blob, size: int, session: GcsSession) -> None:
        self._blob = blob
        self._size = size
        self._session = session
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, but for the end of the object."""
        wanted = min(len(buffer), self._size - self._position)
        if not wanted:
            return 0
        buffer[:wanted] = self._portion(wanted)
        self._position += wanted
        return wanted

    def readall(self) -> bytes:
        """All that is left, in portions as large as those of any other read."""
        return b"".join(self.portions())

    def portions(self) -> Iterator[bytes]:
        """All that is left, portion by portion."""
        while portion := self.read(self._session.settings.portion_bytes):
            yield portion

    def _portion(self, wanted: int) -> bytes:
        with self._session.reaching():
            try:
                portion = self._blob.download_as_bytes(
                    start=self._position,
                    end=self._position + wanted - 1,
                    **_AS_STORED,
                    **self._session.patience,
                )
            except NotFound:
                raise UnknownName(f"{self._blob.name} is no longer there") from None
        if len(portion) != wanted:
            raise StoreUnavailable(
                f"{self._session.settings.where} answered {len(portion)} of the {wanted} bytes of"
                f" {self._blob.name} from byte {self._position} on; run again"
            )
        return portion
