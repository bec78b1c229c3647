"""One batch from raw records to valid rows, quarantine and verdicts, in one pass and bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from marketing_platform.catalog import table
from marketing_platform.cores import cores
from marketing_platform.gates import RowGate, Split, Suites, Verdict, batch_profile, judge_batch, split
from marketing_platform.ingestion.side_by_side import in_order
from marketing_platform.releases.ledger import Outcome, suffix_of
from marketing_platform.sources import SourceSpec, project
from marketing_platform.stores.protocols import Documents, Warehouse

_SAMPLES = 5

# What divides the raw records of a batch, as `sift_all` does.
Sifting = Callable[[Iterable[pa.Table], str, SourceSpec, Suites, datetime], Iterator[Split]]


@dataclass(frozen=True)
class Validated:
    """What became of one batch."""

    outcome: Outcome
    verdicts: tuple[Verdict, ...]
    samples: tuple[dict[str, Any], ...]  # the first quarantined records: ordinal, reasons, document


@dataclass
class Tally:
    """What a batch came to so far."""

    valid: int = 0
    unreadable: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, Any]] = field(default_factory=list)

    def count(self, parted: Split) -> None:
        """Add one chunk."""
        self.valid += parted.rows_valid
        self.unreadable += parted.unreadable
        for row in parted.quarantine.to_pylist():
            reasons = orjson.loads(row["reasons"])
            self.reasons.update(reasons)
            if len(self.samples) < _SAMPLES:
                self.samples.append(
                    {"ordinal": row["ordinal"], "reasons": reasons, "document": orjson.loads(row["document"])}
                )


def validate(
    batch_id: str,
    chunks: Iterable[pa.Table],
    spec: SourceSpec,
    suites: Suites,
    *,
    warehouse: Warehouse,
    documents: Documents,
    version: str,
    landed_at: datetime,
    sifting: Sifting | None = None,
) -> Validated:
    """Type and judge the raw records of a batch; store valid rows and quarantine.

    Valid rows go to the warehouse as one part per table, under names that carry `version`, so that
    judging a batch again never touches what a release was built from. Rules about "now" mean
    `landed_at`, so that a replay judges as the first run did. `sifting` types and judges in the place of
    `sift_all`, and comes to the same.
    """
    tally = Tally()
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                warehouse.writer(f"{name}__{suffix_of(batch_id)}_{version}", table(name).arrow_schema)
            )
            for name in spec.tables
        }

        def quarantine() -> Iterator[pa.Table]:
            for parted in (sifting or sift_all)(chunks, batch_id, spec, suites, landed_at):
                for name, rows in parted.tables.items():
                    writers[name].add(rows)
                tally.count(parted)
                yield parted.quarantine

        quarantined = documents.write_quarantine(batch_id, quarantine())
    # Counted by the stores themselves: what was lost on the way between them shows.
    landed = documents.count_raw(batch_id)
    verdicts = judge_batch(
        suites,
        batch_profile(
            landed=landed,
            valid=tally.valid,
            quarantined=quarantined,
            unreadable=tally.unreadable,
        ),
    )
    outcome = Outcome(
        rows_landed=landed,
        rows_valid=tally.valid,
        rows_quarantined=quarantined,
        reasons=dict(tally.reasons.most_common()),
        failed=tuple(verdict.rule for verdict in verdicts if not verdict.passed),
        parts={name: writer.stored.ref.parts[0] for name, writer in writers.items()},
    )
    return Validated(outcome, tuple(verdicts), tuple(tally.samples))


def sift_all(
    chunks: Iterable[pa.Table], batch_id: str, spec: SourceSpec, suites: Suites, landed_at: datetime
) -> Iterator[Split]:
    """Every chunk of a batch, typed, judged and divided, in order; several at once."""
    gate = RowGate(suites, now=landed_at)
    for parted, _ in in_order(lambda raw: sift(raw, batch_id, spec, gate), chunks, threads=cores()):
        yield parted


def sift(raw: pa.Table, batch_id: str, spec: SourceSpec, gate: RowGate) -> tuple[Split, pa.Table]:
    """One chunk of records, typed, judged and divided; and what the row rules found (PROBLEMS_SCHEMA)."""
    projection = project(raw, spec, batch_id)
    by_rules = pa.concat_tables([gate.problems(name, rows) for name, rows in projection.tables.items()])
    parted = split(raw, projection.tables, typing_problems=projection.problems, rule_problems=by_rules)
    return parted, by_rules
