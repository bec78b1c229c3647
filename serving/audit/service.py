"""Reads the ledger and the shelf for those who audit; nothing here changes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ParamSpec

import orjson

from marketing_platform.errors import UnknownBatch
from marketing_platform.ingestion.journal import API_FOLDER
from marketing_platform.releases.ledger import Batch, Ledger, State
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.stores.protocols import Documents
from marketing_platform.stores.stream import STREAM_FOLDER
from serving import responses
from serving.errors import ApiError
from serving.threads import Threads

_THREADS = 4
_ROWS_LOOKED_AT = 100_000
_CHUNK_ROWS = 10_000
_FROM_API = (f"{API_FOLDER}/", f"{STREAM_FOLDER}/")
Asked = ParamSpec("Asked")


class AuditService:
    """One per process."""

    def __init__(self, ledger: Ledger, shelf: ReleaseShelf, documents: Documents, *, seconds: float) -> None:
        self._ledger = ledger
        self._shelf = shelf
        self._documents = documents
        self._threads = Threads("audit", threads=_THREADS, seconds=seconds)

    async def ask(
        self, question: Callable[Asked, bytes], /, *args: Asked.args, **named: Asked.kwargs
    ) -> bytes:
        """The answer of one of the methods below, which may block."""
        return await self._threads.run(question, *args, **named)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.close()

    def releases(self, limit: int, cursor: str | None) -> bytes:
        """A page of releases; `cursor` is the last one of the page before."""
        kept = self._shelf.list()
        if cursor is not None:
            place = next((at for at, one in enumerate(kept) if one.release_id == cursor), None)
            if place is None:
                raise ApiError("unknown_release", parameter="cursor")
            kept = kept[place + 1 :]
        current, pins = self._shelf.current(), self._shelf.pins()
        page = kept[:limit]
        return responses.to_json(
            {
                "items": [_release(manifest, current, manifest.release_id in pins) for manifest in page],
                "next_cursor": page[-1].release_id if len(kept) > limit else None,
            }
        )

    def current(self) -> bytes:
        """The release the pointer stands at."""
        current = self._shelf.current()
        if current is None:
            raise ApiError("no_release")
        return responses.to_json(_release(self._shelf.load(current), current, current in self._shelf.pins()))

    def batches(self, limit: int, cursor: str | None, state: State | None, source: str | None) -> bytes:
        """A page of batches; `cursor` is the place of the last one of the page before."""
        before = None if cursor is None else int(cursor)
        found = self._ledger.page(limit=limit + 1, before=before, state=state, source=source)
        page = found[:limit]
        return responses.to_json(
            {
                "items": [_batch(batch) for batch in page],
                "next_cursor": str(page[-1].sequence) if len(found) > limit else None,
            }
        )

    def batch(self, batch_id: str) -> bytes:
        """Everything about one batch."""
        try:
            batch = self._ledger.batch(batch_id)
        except UnknownBatch:
            raise ApiError("unknown_batch", parameter="batch_id") from None
        return responses.to_json(
            {
                **_batch(batch),
                "reasons": dict(batch.reasons),
                "tables": sorted(batch.parts),
                "written_by": self._written_by(batch),
                "releases": [
                    manifest.release_id
                    for manifest in self._shelf.list()
                    if any(entry.batch_id == batch.batch_id for entry in manifest.batches)
                ],
                "history": [
                    {"at": event.at, "action": event.action, "who": event.who, "why": event.why}
                    for event in self._ledger.history(batch.batch_id)
                ],
            }
        )

    def _written_by(self, batch: Batch) -> list[dict[str, Any]]:
        """By what every line says of itself."""
        if not batch.object.startswith(_FROM_API):
            return []
        found: Counter[str] = Counter()
        looked_at = 0
        for chunk in self._documents.read_raw(batch.batch_id, chunk_rows=_CHUNK_ROWS):
            documents = (orjson.loads(document) for document in chunk["document"].to_pylist())
            found.update(by for document in documents if (by := document.get("value.write.by")))
            looked_at += chunk.num_rows
            if looked_at >= _ROWS_LOOKED_AT:
                break
        return [{"principal": principal, "rows": rows} for principal, rows in found.most_common()]


def _release(manifest: Manifest, current: str | None, pinned: bool) -> dict[str, Any]:
    return {
        "release_id": manifest.release_id,
        "created_at": manifest.created_at,
        "previous": manifest.previous,
        "current": manifest.release_id == current,
        "pinned": pinned,
        "gate": "passed",
        "run_id": manifest.run_id,
        "code_version": manifest.code_version,
        "batches": len(manifest.batches),
        "held_batches": len(manifest.held),
        "totals": manifest.totals.model_dump(),
    }


def _batch(batch: Batch) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "source": batch.source,
        "object": batch.object,
        "content_hash": batch.content_hash,
        "size": batch.size,
        "landed_at": batch.landed_at,
        "state": batch.state.value,
        "rows_landed": batch.rows_landed,
        "rows_valid": batch.rows_valid,
        "rows_quarantined": batch.rows_quarantined,
        "failed": list(batch.failed),
        "why": batch.why,
    }
