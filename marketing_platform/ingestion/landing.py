"""Takes what lies in the landing zone: each new version of an object becomes a batch.

What was taken is known by (name, generation), not by a time stamp, so overwritten objects and
objects older than everything seen so far are found like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketing_platform.errors import ChangedWhileRead, SourceError
from marketing_platform.releases.ledger import Ledger
from marketing_platform.sources import SourceSpec, match_source
from marketing_platform.stores.protocols import Objects


@dataclass(frozen=True)
class Taken:
    """What one look at the landing zone came to; a look never fails because of one object."""

    batches: tuple[str, ...]  # content not seen before
    repeated: tuple[str, ...]  # objects whose content was known already
    unmatched: tuple[str, ...]  # objects that no source declares
    unsettled: tuple[str, ...]  # objects still being written, or gone again; looked at next time
    refused: tuple[str, ...] = ()  # "name: why it cannot be taken"; looked at next time


def take_landed(
    objects: Objects,
    ledger: Ledger,
    sources: Sequence[SourceSpec],
    *,
    now: datetime,
    settle_seconds: float,
    limit: int | None = None,
) -> Taken:
    """Keep and register new objects, at most `limit` of them, known content included, each version once."""
    seen = ledger.seen()
    batches: list[str] = []
    repeated: list[str] = []
    unmatched: list[str] = []
    unsettled: list[str] = []
    refused: list[str] = []
    for landed in objects.list():
        if (landed.name, landed.generation) in seen:
            continue
        if limit is not None and len(batches) + len(repeated) >= limit:
            break
        if not _is_text(landed.name):
            refused.append(f"{_printable(landed.name)}: its name is not UTF-8; rename it")
            continue
        try:
            source = match_source(sources, landed.name)
        except SourceError as error:  # claimed twice: the other objects are not to blame
            refused.append(str(error))
            continue
        if source is None:
            unmatched.append(landed.name)
            continue
        if landed.updated_at > now - timedelta(seconds=settle_seconds):
            unsettled.append(landed.name)
            continue
        try:
            content_hash, _ = objects.snapshot(landed)
        except ChangedWhileRead:
            unsettled.append(landed.name)
            continue
        except OSError as error:
            refused.append(f"{landed.name}: {error.strerror or error}")
            continue
        batch_id, new = ledger.register(landed, source=source.source, content_hash=content_hash, now=now)
        (batches if new else repeated).append(batch_id if new else landed.name)
    return Taken(tuple(batches), tuple(repeated), tuple(unmatched), tuple(unsettled), tuple(refused))


def _is_text(name: str) -> bool:
    """Whether the name can be kept: a file's name on Linux is any bytes."""
    return name == _printable(name)


def _printable(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()
