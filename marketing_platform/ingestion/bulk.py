"""A bulk upload on its way into one object: NDJSON in pieces, perhaps gzipped, in bounded memory.

Each line is a document (`written.BulkDocument`). One that is none becomes a line that says so and ends in
quarantine, as a bad line of any landed file does; what is wrong with the upload itself refuses it whole.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pydantic import ValidationError

from marketing_platform.errors import InputError
from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.ingestion.written import BulkDocument, Envelope, user_data_records

_GZIP = 31  # zlib's word for: with gzip's head
_PORTION = 1 << 20
_SMALL = 1 << 20  # so much may come out of anything, whatever its ratio


class TooLarge(InputError):
    """The upload, or a line of it, is larger than it may be."""


class Upload:
    """Takes the bytes of one upload, and writes the lines that land."""

    def __init__(
        self, envelope: Envelope, target: BinaryIO, settings: WriteSettings, *, gzipped: bool
    ) -> None:
        self.documents = 0
        self.rows = 0
        self.size = 0  # bytes, decompressed
        self._envelope = envelope
        self._target = target
        self._settings = settings
        self._gzipped = gzipped
        self._unzip = zlib.decompressobj(_GZIP) if gzipped else None
        self._received = 0
        self._rest = b""
        self._digest = hashlib.sha256()

    @property
    def fingerprint(self) -> str:
        """Of the whole content, decompressed."""
        return self._digest.hexdigest()

    def feed(self, content: bytes) -> None:
        """The next bytes.

        Raises:
            TooLarge: All of it, a line, or what a compressed piece becomes.
            InputError: It is not gzip.
        """
        self._received += len(content)
        for portion in self._portions(content):
            self.size += len(portion)
            if self.size > self._settings.bulk_bytes:
                raise TooLarge(f"an upload has at most {self._settings.bulk_bytes} bytes, decompressed")
            self._digest.update(portion)
            *lines, self._rest = (self._rest + portion).split(b"\n")
            for line in lines:
                self._add(line)
            if len(self._rest) > self._settings.bulk_line_bytes:
                raise self._long_line()

    def finish(self) -> None:
        """The end of the upload.

        Raises:
            InputError: It ended early, or there was nothing in it.
        """
        if self._unzip is not None and not self._unzip.eof:
            raise InputError("the gzip stream ends early")
        self._add(self._rest)
        if not self.documents:
            raise InputError("there is no line in the upload")
        self._target.flush()

    def _portions(self, content: bytes) -> Iterator[bytes]:
        if self._unzip is None:
            yield content
            return
        portion = b""
        while content or len(portion) == _PORTION:  # as much again may still be inside
            if self._unzip.eof:  # files that were gzipped one by one and put behind each other
                self._unzip = zlib.decompressobj(_GZIP)
            try:
                portion = self._unzip.decompress(content, _PORTION)
            except zlib.error:
                raise InputError("the body is not gzip") from None
            if self.size + len(portion) > self._received * self._settings.bulk_ratio + _SMALL:
                raise TooLarge(f"a compressed upload grows by at most {self._settings.bulk_ratio} times")
            yield portion
            content = self._unzip.unconsumed_tail or self._unzip.unused_data

    def _add(self, line: bytes) -> None:
        line = line.strip(b" \t\r")
        if not line:
            return
        if len(line) > self._settings.bulk_line_bytes:
            raise self._long_line()
        self.documents += 1
        where = f"line {self.documents}"
        try:
            document = BulkDocument.model_validate_json(line)
        except ValidationError as error:
            self._write(self._envelope.defective(where, _defect(error), line))
            return
        received_at = self._envelope.received_at
        for at, rows in user_data_records(document.user_id, document, received_at):
            self._write(self._envelope.line((f"{where}: {at}", rows)))

    def _write(self, line: bytes) -> None:
        self.rows += 1
        self._target.write(line)

    def _long_line(self) -> TooLarge:
        return TooLarge(f"a line has at most {self._settings.bulk_line_bytes} bytes")


def _defect(error: ValidationError) -> str:
    """The first problem, without places in lists and without what was sent: equal mistakes read the same."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    names = [part for part in problem["loc"] if isinstance(part, str)]
    if problem["type"] == "extra_forbidden":
        names = names[:-1]
    where = ".".join(names)
    said = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "json_invalid":
        said = "invalid JSON"
    return f"{where}: {said}" if where else said
