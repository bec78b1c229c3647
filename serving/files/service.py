"""Lands uploaded files: whole or not at all, and acknowledged once they are durable."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable
from typing import Any, BinaryIO

import structlog

from marketing_platform.errors import InputError, SourceError
from marketing_platform.ingestion.uploads import object_name, takes_uploads
from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.releases.ledger import batch_id_of, suffix_of
from marketing_platform.settings import Settings
from marketing_platform.sources import SourceSpec, load_sources
from marketing_platform.stores.protocols import Objects
from serving import responses
from serving.errors import ApiError
from serving.limits.streams import portions
from serving.uploading import Uploads, pieces

_log: Any = structlog.get_logger("serving.files")


class FileService:
    """One per process."""

    def __init__(self, settings: Settings, objects: Objects, writes: WriteSettings) -> None:
        self._sources_dir = settings.sources_dir
        self._objects = objects
        self._writes = writes
        self._uploads = Uploads("files", settings, writes)
        self._threads = self._uploads.threads

    async def land(self, source: str, file_name: str, chunks: AsyncIterable[bytes], *, who: str) -> bytes:
        """Land a file of a source; the answer, ready to be sent.

        Raises:
            ApiError: `invalid_parameter` for a source or name that does not fit, before anything is read;
                `overloaded` when too many are under way; what `portions` raises.
        """
        with self._uploads.place():
            spec, name = await self._threads.run(self._place, source, file_name)
            async with self._uploads.gathered() as target:
                digest = hashlib.sha256()
                size = 0
                async for portion in portions(chunks, idle_seconds=self._writes.bulk_idle_seconds):
                    digest.update(portion)
                    size += await self._threads.run(target.write, portion)
                if not size:
                    raise ApiError("malformed_stream", problem="the file is empty")
                await self._threads.run(self._land, name, target)
        _log.info("file landed", object=name, source=spec.name, size=size, principal=who)
        content_hash = digest.hexdigest()
        return responses.to_json(
            {
                "source": spec.name,
                "object": name,
                "size": size,
                "content_hash": content_hash,
                "batch": suffix_of(batch_id_of(spec.name, name, content_hash)),
            }
        )

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.close()

    def _place(self, source: str, file_name: str) -> tuple[SourceSpec, str]:
        try:
            specs = load_sources(self._sources_dir)
        except SourceError as error:
            raise ApiError("store_unavailable", part="sources") from error
        named = {spec.name: spec for spec in specs if takes_uploads(spec)}
        if source not in named:
            raise _invalid("source", f"must be one of: {', '.join(named)}")
        try:
            return named[source], object_name(specs, named[source], file_name)
        except (InputError, SourceError):
            patterns = " or ".join(named[source].path)
            raise _invalid("name", f"must be the name of a file that this source reads: {patterns}") from None

    def _land(self, name: str, content: BinaryIO) -> None:
        self._objects.put(name, pieces(content))


def _invalid(parameter: str, problem: str) -> ApiError:
    return ApiError("invalid_parameter", problems=[{"in": "query", "name": parameter, "problem": problem}])
