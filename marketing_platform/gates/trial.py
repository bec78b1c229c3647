"""Tries the gates: plants the example of each rule and looks which rule stops it.

How a sample goes through the pipeline is the caller's: `ingestion/dry_run.py` takes the pure
functions, `defs/rehearsal.py` the real jobs. Here is only what must come of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import orjson

from marketing_platform import catalog
from marketing_platform.catalog import TableKind
from marketing_platform.gates.plants import (
    SAMPLE_ROWS,
    SPOILT_ROW,
    BreakShare,
    Cells,
    Every,
    Lose,
    Plant,
    Repeat,
    Truncate,
    good_rows,
    ndjson,
    spoil,
    truncated,
)
from marketing_platform.gates.suites import BATCHES, Rule, Suites

_SHOWN = 60  # characters of a planted example that people are shown
# The table whose good rows stand for a batch when a batch rule is tried.
BATCH_TABLE = "events"


@dataclass(frozen=True)
class Sample:
    """A landed object of one table: NDJSON whose fields are the table's columns."""

    table: str
    content: bytes
    lose: int = 0  # valid records that a faulty job must lose
    repeat: int = 0  # rows of the table that a faulty job must repeat


@dataclass(frozen=True)
class Stopped:
    """What became of a sample."""

    reasons: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # of quarantined records, by ordinal
    row_rules: frozenset[str] = frozenset()  # rules that rows broke
    gate_rules: frozenset[str] = frozenset()  # table and batch rules that did not pass
    released: bool = False  # whether a release came of it all the same


Land = Callable[[Sample], Stopped]


@dataclass(frozen=True)
class Trial:
    """Whether one rule alone stopped its example."""

    rule: str
    planted: str
    stopped_by: tuple[str, ...]
    ok: bool
    complaint: str  # what is wrong, empty when nothing is
    tried_on: Literal["functions", "jobs"] = "functions"


def try_gates(suites: Suites, land: Land, *, now: datetime) -> Iterable[Trial]:
    """Good samples first, then the example of each rule, then the list of rules.

    `now` is the moment `land` judges by; good samples are dated the day before.
    """
    for table in catalog.tables():
        yield try_good(table, land(good_sample(table, now=now)))
    for rule in suites.rules:
        yield try_rule(rule, land, now=now)
    yield from unlisted(suites)


def try_rule(rule: Rule, land: Land, *, now: datetime) -> Trial:
    """Plant the example of `rule` and see that it, and nothing else, stops it."""
    stopped = land(plant_rows(rule, now=now))
    complaint = _row_complaint(rule, stopped) if rule.level == "row" else _gate_complaint(rule, stopped)
    return Trial(rule.rule, _shown(rule), _stoppers(stopped), not complaint, complaint)


def on_the_jobs(trial: Trial) -> Trial:
    """The same trial, marked as one on the real jobs."""
    return replace(trial, tried_on="jobs")


def plant_rows(rule: Rule, *, now: datetime) -> Sample:
    """A good sample of the rule's table with its example planted."""
    table = BATCH_TABLE if rule.table == BATCHES else rule.table
    good = good_rows(table, now=now)
    match rule.plant:
        case Repeat(repeat=count) if catalog.table(table).kind is TableKind.ENTITY:
            # What lands about one thing becomes one row; only a faulty job makes two of it.
            return Sample(table, ndjson(good), repeat=count)
        case Cells() | Repeat() | Every() as plant:
            return Sample(table, ndjson(spoil(good, plant)))
        case BreakShare(break_share=share):
            broken = round(SAMPLE_ROWS * share)
            nameless = [row | {"user_id": None} for row in good[:broken]]
            return Sample(table, ndjson([*nameless, *good[broken:]]))
        case Truncate(truncate=size):
            return Sample(table, truncated(ndjson(good), size))
        case Lose(lose=count):
            return Sample(table, ndjson(good), lose=count)


def good_sample(table: str, *, now: datetime) -> Sample:
    """A sample of `table` that nothing may stop."""
    return Sample(table, ndjson(good_rows(table, now=now)))


def try_good(what: str, stopped: Stopped) -> Trial:
    """What must come of good samples: a release, and nothing stopped."""
    stoppers = _stoppers(stopped)
    complaint = "" if stopped.released else "no release came of a good sample"
    if stoppers:
        complaint = f"a good sample is stopped by {', '.join(stoppers)}"
    return Trial(f"(none: {what})", "nothing", stoppers, not complaint, complaint)


def _row_complaint(rule: Rule, stopped: Stopped) -> str:
    if stopped.row_rules != frozenset({rule.rule}):
        return f"expected {rule.rule} alone"
    if stopped.gate_rules:
        return f"one wrong row in {SAMPLE_ROWS} also failed {', '.join(sorted(stopped.gate_rules))}"
    if stopped.reasons != {SPOILT_ROW: (rule.reason,)}:
        wanted = f"record {SPOILT_ROW} alone in quarantine, for {rule.reason!r}"
        return f"expected {wanted}; found {dict(stopped.reasons)}"
    return ""


def _gate_complaint(rule: Rule, stopped: Stopped) -> str:
    if stopped.released:
        return "a release was published all the same"
    if stopped.gate_rules != frozenset({rule.rule}):
        return f"expected {rule.rule} alone"
    if rule.level == "table" and stopped.reasons:
        return f"row rules stop the example before the table is judged: {dict(stopped.reasons)}"
    return ""


def _stoppers(stopped: Stopped) -> tuple[str, ...]:
    return tuple(sorted(stopped.row_rules | stopped.gate_rules)) or tuple(
        sorted({reason for reasons in stopped.reasons.values() for reason in reasons})
    )


def unlisted(suites: Suites) -> Iterable[Trial]:
    """A failed trial for each rule that went away, or came, without the list of rules."""
    names = {f"{rule.table}.{rule.rule}" for rule in suites.rules}
    for name in sorted(suites.listed - names):
        yield Trial(
            name, "the list of rules", (), False, "in rules.txt but in no suite: was it taken out on purpose?"
        )
    for name in sorted(names - suites.listed):
        yield Trial(name, "the list of rules", (), False, "not in rules.txt: add a line")


def _shown(rule: Rule) -> str:
    plant: Plant = rule.plant
    shown = orjson.dumps(plant.model_dump()).decode()
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
