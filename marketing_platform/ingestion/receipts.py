"""Receipts of writes: an id that says by itself what was written, by whom and where it is, signed.

So nothing has to be kept per write, and nobody can ask for a write that is not theirs. What became of a
receipt is read from the ledger, the quarantine and the releases.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import orjson

from marketing_platform.ingestion.journal import InObject, InTopic, Place, object_name
from marketing_platform.ingestion.stream_lines import last_line, offset_of
from marketing_platform.ingestion.written import Kind
from marketing_platform.releases.ledger import ADMITTED, Batch, Ledger, State
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.stores.protocols import Documents, Objects
from marketing_platform.stores.stream import STREAM_FOLDER

Status = Literal["landed", "accepted", "held", "released"]

_MAC_BYTES = 12
_MOST_REASONS = 100  # refused rows that one answer names
_OFFSET_DIGITS = 20


@dataclass(frozen=True)
class Receipt:
    """What a receipt's id says."""

    number: str
    kind: Kind
    received_at: datetime
    owner: str  # as `owner_of` makes it
    rows: int
    place: Place


@dataclass(frozen=True)
class Refused:
    """A row in quarantine."""

    at: str  # where it was in the request
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Followed:
    """What became of a write."""

    status: Status
    batch: Batch | None = None
    release_id: str | None = None  # the oldest kept release with it
    served: bool = False  # whether the current release has it
    rows_valid: int | None = None
    rows_quarantined: int | None = None
    refused: tuple[Refused, ...] = ()


def owner_of(principal: str) -> str:
    """Stands for the principal in ids, without telling who that is."""
    return hashlib.sha256(principal.encode()).hexdigest()[:16]


def to_id(receipt: Receipt, key: bytes) -> str:
    """The receipt as its id, for paths of URLs."""
    place = receipt.place
    said = orjson.dumps(
        [
            receipt.number,
            receipt.kind,
            round(receipt.received_at.timestamp() * 1000),
            receipt.owner,
            receipt.rows,
            *(
                [place.segment]
                if isinstance(place, InObject)
                else [place.topic, place.topic_id, place.partition, place.first, place.last]
            ),
        ]
    )
    return f"rc_{_base64(said)}.{_base64(_mac(said, key))}"


def from_id(receipt_id: str, key: bytes) -> Receipt | None:
    """What the id says; None when this installation did not give it."""
    said, _, mac = receipt_id.removeprefix("rc_").partition(".")
    try:
        content = _unbase64(said)
        if not hmac.compare_digest(_unbase64(mac), _mac(content, key)):
            return None
        number, kind, received_ms, owner, rows, *place = orjson.loads(content)
    except ValueError:
        return None
    return Receipt(
        number,
        kind,
        datetime.fromtimestamp(received_ms / 1000, UTC),
        owner,
        rows,
        InObject(*place) if len(place) == 1 else InTopic(*place),
    )


@dataclass(frozen=True)
class Follower:
    """Finds out what became of receipts; every method may block."""

    ledger: Ledger
    shelf: ReleaseShelf
    documents: Documents
    objects: Objects

    def follow(self, receipt: Receipt) -> Followed:
        """Where the rows of a receipt are by now."""
        batch = self._batch(receipt.place, receipt.kind)
        if batch is None or batch.state is State.LANDED:
            return Followed("landed", batch)
        refused = tuple(self._refused(receipt, batch))
        quarantined = batch.rows_quarantined if receipt.kind == "bulk" else len(refused)
        judged = Followed(
            "held",
            batch,
            rows_valid=receipt.rows - quarantined,
            rows_quarantined=quarantined,
            refused=refused[:_MOST_REASONS],
        )
        if batch.state not in ADMITTED:
            return judged
        releases = [manifest.release_id for manifest in self.shelf.list() if _has(manifest, batch)]
        if not releases:
            return replace(judged, status="accepted")
        served = self.shelf.current() in releases
        return replace(judged, status="released", release_id=releases[-1], served=served)

    def _batch(self, place: Place, kind: Kind) -> Batch | None:
        if isinstance(place, InObject):
            return self.ledger.of_object(object_name(kind, place.segment))
        folder = f"{STREAM_FOLDER}/{place.topic}/{place.topic_id}/{place.partition}"
        batch = self.ledger.last_before(folder, f"{folder}/{place.last:0{_OFFSET_DIGITS}}.ndjson")
        if batch is None:
            return None
        with self.objects.open(batch.content_hash) as content:
            return batch if offset_of(last_line(content)) >= place.last else None

    def _refused(self, receipt: Receipt, batch: Batch) -> Iterator[Refused]:
        """The refused rows; of a bulk upload, whose batch nobody shares, the first ones only."""
        if not batch.rows_quarantined:
            return
        limit = _MOST_REASONS if receipt.kind == "bulk" else None
        for chunk in self.documents.read_quarantine(batch.batch_id, limit=limit):
            for row in chunk.to_pylist():
                document = orjson.loads(row["document"])
                if document.get("value.write.receipt") == receipt.number:
                    reasons: Sequence[str] = orjson.loads(row["reasons"])
                    yield Refused(str(document.get("value.write.at", "")), tuple(reasons))


def _has(manifest: Manifest, batch: Batch) -> bool:
    return any(entry.batch_id == batch.batch_id for entry in manifest.batches)


def _mac(said: bytes, key: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")[:_MAC_BYTES]


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
