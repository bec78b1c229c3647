"""Takes writes in: durable first, then acknowledged, once per Idempotency-Key."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from marketing_platform.errors import InputError, StoreBusy, StoreFull
from marketing_platform.ingestion.bulk import TooLarge, Upload
from marketing_platform.ingestion.journal import Durable, Entry, InObject, Place, object_name
from marketing_platform.ingestion.journals import journal_of
from marketing_platform.ingestion.receipts import Follower, Receipt, from_id, owner_of, to_id
from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.ingestion.written import Envelope, Kind, Record
from marketing_platform.releases.records import Records
from marketing_platform.releases.writes import Begun, Completed, Standing, record_name
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import Stores
from serving import responses
from serving.errors import ApiError
from serving.limits.streams import portions
from serving.threads import Threads
from serving.uploading import Uploads, pieces

_THREADS = 8
_LEASE_MARGIN = 10.0  # seconds: an attempt is given up by everybody else later than by itself


@dataclass(frozen=True)
class Asked:
    """Who writes, and under which Idempotency-Key."""

    principal: str
    route: str
    key: str | None


class WriteService:
    """One per process; open while `running`."""

    def __init__(self, settings: Settings, stores: Stores, records: Records, writes: WriteSettings) -> None:
        self.writes = writes
        self._objects = stores.objects
        self._records = records.writes
        self._follower = Follower(records.ledger, records.shelf, stores.documents, stores.objects)
        self._journal = journal_of(settings, stores.objects, writes, remember=self._remember)
        self._threads = Threads("writes", threads=_THREADS, seconds=writes.durable_seconds)
        self._uploads = Uploads("uploads", settings, writes)
        self._key: bytes | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Finish what a dead process left, take writes, and land them all at the end."""
        await asyncio.to_thread(self._journal.open)
        try:
            yield
        finally:
            await asyncio.to_thread(self._journal.close)
            self._threads.close()
            self._uploads.threads.close()

    def append(self, entry: Entry) -> Future[Place]:
        """Make something of our own durable, whatever becomes of it; StoreBusy when too much waits."""
        return self._journal.append(entry)

    async def write(
        self, asked: Asked, kind: Kind, key: str, body: bytes, records: Callable[[datetime], Sequence[Record]]
    ) -> bytes:
        """Land the records of one request; the answer, ready to be sent.

        Raises:
            ApiError: The key was used for something else, or is in flight; or it is not durable in time.
        """
        envelope = self._envelope(asked, kind)
        fingerprint = _fingerprint(asked.route, body)
        if answer := await self._begun(asked, envelope, fingerprint):
            return answer
        entry = Entry(envelope, key, envelope.lines(records(envelope.received_at)))
        try:
            place = await self._threads.result(
                self._journal.append(entry), seconds=self.writes.durable_seconds
            )
        except (StoreBusy, StoreFull):
            await self._abandon(envelope)
            raise
        return await self._completed(envelope, place, rows=len(entry.lines), noted=self._journal.remembers)

    async def upload(self, asked: Asked, chunks: AsyncIterable[bytes], *, gzipped: bool) -> bytes:
        """Land a bulk upload as one object; the answer, ready to be sent.

        Raises:
            ApiError: As `write`; or the upload is too large, too slow or cannot be read, or too many are
                under way.
        """
        with self._uploads.place():
            async with self._uploads.gathered() as target:
                envelope = self._envelope(asked, "bulk")
                upload = Upload(envelope, target, self.writes, gzipped=gzipped)
                await self._received(upload, chunks)
                fingerprint = _fingerprint(asked.route, upload.fingerprint.encode())
                if answer := await self._begun(asked, envelope, fingerprint):
                    return answer
                place = await self._uploads.threads.run(self._land, envelope.number, target)
                return await self._completed(envelope, place, rows=upload.rows, noted=False)

    async def receipt(self, receipt_id: str, *, principal: str, admin: bool) -> bytes:
        """What became of a write; ApiError (`unknown_receipt`) unless they wrote it, or may see all."""
        return await self._threads.run(self._followed, receipt_id, principal, admin)

    def _envelope(self, asked: Asked, kind: Kind) -> Envelope:
        name = record_name(asked.principal, asked.key) if asked.key else None
        return Envelope(secrets.token_hex(12), kind, _now(), asked.principal, name)

    async def _begun(self, asked: Asked, envelope: Envelope, fingerprint: str) -> bytes | None:
        """The answer that the key got before, or None when the request is to be carried out."""
        if envelope.idempotency is None:
            return None
        begun = await self._threads.run(self._begin, envelope.idempotency, fingerprint, envelope)
        match begun.standing:
            case Standing.NEW:
                return None
            case Standing.OTHER:
                raise ApiError("idempotency_key_reused", header="Idempotency-Key")
            case Standing.IN_FLIGHT:
                raise ApiError("idempotency_in_flight", header="Idempotency-Key")
            case Standing.DONE:
                return await self._threads.run(self._answer_again, begun.receipt or "")

    def _begin(self, record: str, fingerprint: str, envelope: Envelope) -> Begun:
        return self._records.begin(
            record,
            fingerprint,
            attempt=envelope.number,
            now=envelope.received_at,
            lease=timedelta(seconds=self.writes.durable_seconds + _LEASE_MARGIN),
            keep=timedelta(hours=self.writes.idempotency_hours),
        )

    async def _abandon(self, envelope: Envelope) -> None:
        if envelope.idempotency:
            await self._threads.run(self._records.abandon, envelope.idempotency, attempt=envelope.number)

    async def _completed(self, envelope: Envelope, place: Place, *, rows: int, noted: bool) -> bytes:
        """The answer to a write that is durable; `noted`: the journal has remembered it."""
        done = Durable(envelope, rows, place)
        if envelope.idempotency and not noted:
            await self._threads.run(self._remember, [done])
        if self._key is None:
            await self._threads.run(self._signing_key)
        receipt = _receipt(done)
        return _accepted(to_id(receipt, self._signing_key()), receipt)

    def _remember(self, done: Sequence[Durable]) -> None:
        key = self._signing_key()
        self._records.complete(
            Completed(one.envelope.idempotency, one.envelope.number, to_id(_receipt(one), key))
            for one in done
            if one.envelope.idempotency
        )

    def _answer_again(self, receipt_id: str) -> bytes:
        receipt = from_id(receipt_id, self._signing_key())
        if receipt is None:
            raise RuntimeError("a remembered receipt was not signed by this installation")
        return _accepted(receipt_id, receipt)

    def _followed(self, receipt_id: str, principal: str, admin: bool) -> bytes:
        receipt = from_id(receipt_id, self._signing_key())
        if receipt is None or not (admin or receipt.owner == owner_of(principal)):
            raise ApiError("unknown_receipt", parameter="receipt_id")
        followed = self._follower.follow(receipt)
        return responses.to_json(
            {
                "receipt_id": receipt_id,
                "status": followed.status,
                "kind": receipt.kind,
                "received_at": receipt.received_at,
                "rows": receipt.rows,
                "batch_id": followed.batch.batch_id if followed.batch else None,
                "rows_valid": followed.rows_valid,
                "rows_quarantined": followed.rows_quarantined,
                "quarantined": [{"at": row.at, "reasons": row.reasons} for row in followed.refused],
                "release_id": followed.release_id,
                "served": followed.served,
            }
        )

    async def _received(self, upload: Upload, chunks: AsyncIterable[bytes]) -> None:
        try:
            async for portion in portions(chunks, idle_seconds=self.writes.bulk_idle_seconds):
                await self._uploads.threads.run(upload.feed, portion)
            await self._uploads.threads.run(upload.finish)
        except TooLarge as error:
            raise ApiError("body_too_large", problem=str(error)) from None
        except InputError as error:
            raise ApiError("malformed_stream", problem=str(error)) from None

    def _land(self, number: str, content: BinaryIO) -> Place:
        self._objects.create(object_name("bulk", number), pieces(content))
        return InObject(number)

    def _signing_key(self) -> bytes:
        if self._key is None:
            self._key = self._records.receipt_key()
        return self._key


def _receipt(done: Durable) -> Receipt:
    envelope = done.envelope
    owner = owner_of(envelope.by)
    return Receipt(envelope.number, envelope.kind, envelope.received_at, owner, done.rows, done.place)


def _accepted(receipt_id: str, receipt: Receipt) -> bytes:
    return responses.to_json(
        {
            "receipt_id": receipt_id,
            "status": "landed",
            "received_at": receipt.received_at,
            "rows": receipt.rows,
            "links": {"receipt": f"/api/v1/receipts/{receipt_id}"},
        }
    )


def _fingerprint(route: str, body: bytes) -> str:
    return hashlib.sha256(route.encode() + b"\0" + body).hexdigest()


def _now() -> datetime:
    """To the millisecond, as a receipt's id says it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
