"""Takes what lies in the landing zone: each new version of an object becomes a batch.

What was taken is known by (name, generation), not by a time stamp, so overwritten objects and
objects older than everything seen so far are found like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketing_platform.releases.ledger import Ledger
from marketing_platform.sources import SourceSpec, match_source
from marketing_platform.stores.protocols import Objects


@dataclass(frozen=True)
class Taken:
    """What one look at the landing zone came to."""

    batches: tuple[str, ...]  # content not seen before
    repeated: tuple[str, ...]  # objects whose content was known already
    unmatched: tuple[str, ...]  # objects that no source declares
    unsettled: tuple[str, ...]  # objects still being written; taken on a later look


def take_landed(
    objects: Objects,
    ledger: Ledger,
    sources: Sequence[SourceSpec],
    *,
    now: datetime,
    settle_seconds: float,
    limit: int | None = None,
) -> Taken:
    """Keep and register new objects, at most `limit` of them; SourceError when two sources claim one."""
    seen = ledger.seen()
    batches: list[str] = []
    repeated: list[str] = []
    unmatched: list[str] = []
    unsettled: list[str] = []
    for landed in objects.list():
        if (landed.name, landed.generation) in seen:
            continue
        if limit is not None and len(batches) >= limit:
            break
        source = match_source(sources, landed.name)
        if source is None:
            unmatched.append(landed.name)
            continue
        if landed.updated_at > now - timedelta(seconds=settle_seconds):
            unsettled.append(landed.name)
            continue
        try:
            content_hash, _ = objects.snapshot(landed)
        except OSError:  # changed or removed while it was copied
            unsettled.append(landed.name)
            continue
        batch_id, new = ledger.register(landed, source=source.source, content_hash=content_hash, now=now)
        (batches if new else repeated).append(batch_id if new else landed.name)
    return Taken(tuple(batches), tuple(repeated), tuple(unmatched), tuple(unsettled))
