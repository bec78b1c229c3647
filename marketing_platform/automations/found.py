"""Finds what happened in what the platform keeps anyway: the shelf of releases, the ledger, the releases.

So no run has to tell anything, and whatever a killed process did not say is found by the next look. Runs that
failed are known to Dagster alone: those are told by `defs/failures.py`, as `blocked` here makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from marketing_platform.analytics.kpis.anomalies import Anomaly
from marketing_platform.automations.events import (
    BatchQuarantined,
    BatchQuarantinedEvent,
    KpiAnomaly,
    KpiAnomalyEvent,
    ReleaseBlocked,
    ReleaseBlockedEvent,
    ReleasePublished,
    ReleasePublishedEvent,
    kept,
)
from marketing_platform.errors import UnknownBatch, UnknownRelease
from marketing_platform.releases.ledger import Event, Ledger, State
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.outbox import OutboxEvent
from marketing_platform.releases.pointer import PointerMove, ReleaseShelf

AnomaliesOf = Callable[[Manifest], Sequence[Anomaly]]


def found_since(
    moment: datetime, shelf: ReleaseShelf, ledger: Ledger, anomalies_of: AnomaliesOf
) -> Iterator[OutboxEvent]:
    """Releases, quarantined rows and anomalies since then."""
    yield from _quarantined(ledger, moment)
    for move in _first_moves(shelf):
        if move.at < moment:
            continue
        try:
            manifest = shelf.load(move.to)
        except UnknownRelease:  # collected meanwhile: there is nothing left to look at
            continue
        yield _published(move, manifest)
        yield from (_anomaly(one, move, manifest) for one in anomalies_of(manifest))


def blocked(run_id: str, at: datetime, *, failed: Sequence[str], serving: str | None) -> OutboxEvent:
    """A run that should have made a release failed."""
    data = ReleaseBlocked(run_id=run_id, failed=list(failed), serving=serving)
    return kept(ReleaseBlockedEvent(timestamp=at, data=data), run_id)


def _first_moves(shelf: ReleaseShelf) -> Iterator[PointerMove]:
    """The moves by which releases came to serve for the first time; going back to one is none."""
    seen: set[str] = set()
    for move in shelf.history():
        if move.to not in seen:
            yield move
        seen.add(move.to)


def _published(move: PointerMove, manifest: Manifest) -> OutboxEvent:
    totals = manifest.totals
    data = ReleasePublished(
        release_id=manifest.release_id,
        previous=move.previous,
        why=move.why,
        users=totals.users,
        campaigns=totals.campaigns,
        rows_landed=totals.rows_landed,
        rows_valid=totals.rows_valid,
        rows_quarantined=totals.rows_quarantined,
        batches=len(manifest.batches),
        held_batches=len(manifest.held),
    )
    return kept(ReleasePublishedEvent(timestamp=move.at, data=data), manifest.release_id)


def _quarantined(ledger: Ledger, moment: datetime) -> Iterator[OutboxEvent]:
    for judged in ledger.judged_since(moment):
        held = judged.action == State.HELD.value
        if not held and not judged.details["rows_quarantined"]:
            continue
        try:
            yield _refused(judged, ledger, held=held)
        except UnknownBatch:  # nothing is left of it
            continue


def _refused(judged: Event, ledger: Ledger, *, held: bool) -> OutboxEvent:
    batch, details = ledger.batch(judged.batch_id), judged.details
    data = BatchQuarantined(
        batch_id=batch.batch_id,
        object=batch.object,
        source=batch.source,
        decision="held" if held else "accepted",
        rows_landed=details["rows_landed"],
        rows_valid=details["rows_valid"],
        rows_quarantined=details["rows_quarantined"],
        failed=list(details["failed"]),
    )
    subject = f"{batch.batch_id} {judged.at.isoformat()}"
    return kept(BatchQuarantinedEvent(timestamp=judged.at, data=data), subject)


def _anomaly(one: Anomaly, move: PointerMove, manifest: Manifest) -> OutboxEvent:
    data = KpiAnomaly(
        release_id=manifest.release_id,
        kpi=one.kpi,
        dimension=one.dimension,
        member=one.member,
        day=one.day,
        value=one.value,
        expected=one.expected,
        low=one.low,
        high=one.high,
        currency=one.currency,
    )
    subject = f"{one.kpi} {one.dimension} {one.member!r} {one.day}"
    return kept(KpiAnomalyEvent(timestamp=move.at, data=data), subject)
