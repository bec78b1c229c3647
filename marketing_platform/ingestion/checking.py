"""What would become of a file if it landed: read, typed and judged by the rules, and nothing is kept.

Its rows, their quarantine and the verdict on the batch come out as `validation.py` would have them. Whether
the tables of a release would pass with it is found out when one is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from marketing_platform.gates import RowGate, Suites, Verdict, batch_profile, judge_batch
from marketing_platform.ingestion.validation import Tally, sift
from marketing_platform.sources import SourceSpec, read_rows

_BATCH = "check@000000000000"  # rows of a batch carry its id


@dataclass(frozen=True)
class Checked:
    """What is known of a file so far, or at its end."""

    rows: int
    rows_valid: int
    rows_quarantined: int
    reasons: Mapping[str, int]  # most frequent first; a record may have several
    samples: tuple[Mapping[str, Any], ...]  # the first refused records: ordinal, reasons, document
    failed: tuple[Verdict, ...] | None  # rules of the batch that it breaks; None before the end

    @property
    def finished(self) -> bool:
        return self.failed is not None

    @property
    def held(self) -> bool:
        """Whether it would be held; False before the end."""
        return bool(self.failed)


def check_file(
    stream: BinaryIO,
    spec: SourceSpec,
    suites: Suites,
    *,
    now: datetime,
    chunk_rows: int,
    max_cell_bytes: int,
) -> Iterator[Checked]:
    """What the file is after each chunk, then once more with the verdict; memory is bounded by a chunk.

    Raises:
        ExpectationError: A rule could not be evaluated.
    """
    gate, tally, rows = RowGate(suites, now=now), Tally(), 0
    for raw in read_rows(stream, spec, chunk_rows=chunk_rows, max_cell_bytes=max_cell_bytes):
        parted, _ = sift(raw, _BATCH, spec, gate)
        tally.count(parted)
        rows += raw.num_rows
        yield _checked(tally, rows, None)
    quarantined = rows - tally.valid
    profile = batch_profile(
        landed=rows, valid=tally.valid, quarantined=quarantined, unreadable=tally.unreadable
    )
    verdicts = judge_batch(suites, profile)
    yield _checked(tally, rows, tuple(verdict for verdict in verdicts if not verdict.passed))


def _checked(tally: Tally, rows: int, failed: tuple[Verdict, ...] | None) -> Checked:
    return Checked(
        rows=rows,
        rows_valid=tally.valid,
        rows_quarantined=rows - tally.valid,
        reasons=dict(tally.reasons.most_common()),
        samples=tuple(tally.samples),
        failed=failed,
    )
