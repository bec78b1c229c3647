"""One batch from raw records to valid rows, quarantine and verdicts, in one pass and bounded memory."""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.catalog import table
from marketing_platform.catalog.model import ROW_ORDINAL
from marketing_platform.cores import in_order
from marketing_platform.gates import RowGate, Split, Suites, Verdict, batch_profile, judge_batch, split
from marketing_platform.releases.ledger import Outcome, suffix_of
from marketing_platform.sources import Projection, SourceSpec, project
from marketing_platform.stores.protocols import QUARANTINE_SCHEMA, Documents, Warehouse

_SAMPLES = 5
_JUDGED_TOGETHER = 20_000  # records that a rule may refuse

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
    on_records: Callable[[int], None] = lambda _: None,
    sifting: Sifting | None = None,
) -> Validated:
    """Type and judge the raw records of a batch; store valid rows and quarantine.

    Valid rows go to the warehouse as one part per table, under names that carry `version`, so that
    judging a batch again never touches what a release was built from. Rules about "now" mean
    `landed_at`, so that a replay judges as the first run did. `on_records` hears how many records
    more are done. `sifting` types and judges in the place of `sift_all`, and comes to the same.
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
                on_records(parted.rows_landed)
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


def sift(raw: pa.Table, batch_id: str, spec: SourceSpec, gate: RowGate) -> tuple[Split, pa.Table]:
    """One chunk of records, typed, judged and divided; and what the row rules found (PROBLEMS_SCHEMA)."""
    return _judged(raw, project(raw, spec, batch_id), gate)


def sift_all(
    chunks: Iterable[pa.Table], batch_id: str, spec: SourceSpec, suites: Suites, landed_at: datetime
) -> Iterator[Split]:
    """Every chunk of a batch, typed, judged and divided as `sift` does it; several at once.

    Records that no rule can refuse go on at once. Of the others some thousand are judged together: a
    judgement costs the same for one row as for many.
    """

    gate = RowGate(suites, now=landed_at)

    def typed(raw: pa.Table) -> tuple[Split, _Sifting]:
        return _parted(raw, project(raw, spec, batch_id), gate)

    held: list[_Sifting] = []
    for clear, doubtful in in_order(typed, chunks):
        yield clear
        held.append(doubtful)
        if sum(one.raw.num_rows for one in held) >= _JUDGED_TOGETHER:
            yield _together(held, gate)
            held = []
    if held:
        yield _together(held, gate)


class _Sifting(NamedTuple):
    """Some records and what was made of them."""

    raw: pa.Table
    projection: Projection


def _parted(raw: pa.Table, projection: Projection, gate: RowGate) -> tuple[Split, _Sifting]:
    """The records that are valid for certain, and those that are yet to be judged."""
    tables, problems = projection.tables, projection.problems
    found = [gate.doubtful(name, rows)[ROW_ORDINAL] for name, rows in tables.items()]
    found.append(problems[ROW_ORDINAL])
    doubtful = pa.chunked_array([chunk for one in found for chunk in one.chunks], pa.int64()).unique()

    def is_doubtful(ordinals: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.is_in(ordinals, value_set=doubtful)

    held = {name: rows.filter(is_doubtful(rows[ROW_ORDINAL])) for name, rows in tables.items()}
    clear = {
        name: rows.filter(pc.invert(is_doubtful(rows[ROW_ORDINAL]))) if len(doubtful) else rows
        for name, rows in tables.items()
    }
    sure = raw.num_rows - len(doubtful)
    split_off = Split(clear, QUARANTINE_SCHEMA.empty_table(), rows_landed=sure, rows_valid=sure, unreadable=0)
    return split_off, _Sifting(raw.filter(is_doubtful(raw["ordinal"])), Projection(held, problems))


def _together(held: Sequence[_Sifting], gate: RowGate) -> Split:
    raw = pa.concat_tables([one.raw for one in held], promote_options="default")
    tables = {
        name: pa.concat_tables([one.projection.tables[name] for one in held])
        for name in held[0].projection.tables
    }
    problems = pa.concat_tables([one.projection.problems for one in held])
    return _judged(raw, Projection(tables, problems), gate)[0]


def _judged(raw: pa.Table, projection: Projection, gate: RowGate) -> tuple[Split, pa.Table]:
    by_rules = pa.concat_tables([gate.problems(name, rows) for name, rows in projection.tables.items()])
    parted = split(raw, projection.tables, typing_problems=projection.problems, rule_problems=by_rules)
    return parted, by_rules
