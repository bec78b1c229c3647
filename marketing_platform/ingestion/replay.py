"""Where a batch is read from when it is judged again.

Running the judgement belongs to `defs/`; that it was asked for, to the ledger.
"""

from __future__ import annotations

from enum import StrEnum

from marketing_platform.errors import UnknownBatch, UnknownName
from marketing_platform.releases.ledger import Batch
from marketing_platform.stores.protocols import Documents, Objects


class ReplayFrom(StrEnum):
    """The kept object, split into records again; or the raw records, as they were split before.

    Both give the same records as long as the source's format (delimiter, encoding, …) is the same.
    """

    OBJECT = "object"
    RAW = "raw"


def replay_from(
    batch: Batch, objects: Objects, documents: Documents, *, asked: ReplayFrom | None
) -> ReplayFrom:
    """What was asked for, or else the object where it is kept and the raw records where not.

    Raises UnknownBatch when the batch cannot be read from there.
    """
    if asked is not ReplayFrom.RAW and (_kept(objects, batch.content_hash) or asked):
        return ReplayFrom.OBJECT
    found = documents.count_raw(batch.batch_id)
    if found == 0 or (batch.rows_landed and found != batch.rows_landed):
        raise UnknownBatch(
            f"batch {batch.batch_id} cannot be read from its raw records: {found:,} of"
            f" {batch.rows_landed or 0:,} are kept; land its object {batch.object} again"
        )
    return ReplayFrom.RAW


def _kept(objects: Objects, content_hash: str) -> bool:
    try:
        objects.open(content_hash).close()
    except UnknownName:
        return False
    return True
