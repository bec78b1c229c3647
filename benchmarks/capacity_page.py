"""docs/capacity.md: the constants, the arithmetic and what was simulated, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.capacity_api import LOOK_UP, OpenLoad
from benchmarks.capacity_constants import STORES, Constants
from benchmarks.capacity_landing import LONGEST_WAIT, LOOK, SETTLE, Delays
from benchmarks.capacity_model import Demand, Driver, Machine, StageCost, Step, cpu_seconds
from benchmarks.capacity_queue import Latency
from benchmarks.page import prose, table
from benchmarks.scale_world import EVENTS_PER_USER
from marketing_platform.settings import PROJECT_DIR

PAGE = PROJECT_DIR / "docs" / "capacity.md"
_MOST, _SHOWN = 12, 0.01
_HOUR = 3600
_GB = 1e9


@dataclass(frozen=True)
class Queue:
    """The serving queue at one load: of a Poisson process, and of bursts with the same mean."""

    workers: int
    busy: float  # share of the workers' time
    steady: Latency
    bursty: Latency


@dataclass(frozen=True)
class Checked:
    """A simulation beside what it should come to; seconds."""

    what: str
    simulated: float
    expected: float


@dataclass(frozen=True)
class Landing:
    """A day of landing at one size of the history."""

    held: float
    files: int
    release_seconds: float
    delays: Delays | None  # None: releases cannot keep up, so that nothing is settled


@dataclass(frozen=True)
class Found:
    """Everything the page shows."""

    constants: Constants
    demand: Demand
    machine: Machine
    steps: Sequence[Step]
    landings: Sequence[Landing]
    queues: Sequence[Queue]
    theory: Sequence[Checked]
    beside_api: Sequence[tuple[OpenLoad, Latency]]


def write(found: Found) -> None:
    """Write the page anew."""
    parts = [
        "# Capacity",
        prose(
            "Written by `python -m benchmarks.capacity`, from constants that `python -m"
            " benchmarks.capacity --measure`"
            f" measures. {found.constants.measured} The load, the processes that wanted a core before, was"
            f" {found.constants.load:g}, so constants of time are CPU seconds, which other work"
            " stretches less than the clock's."
        ),
        _answer(found),
        _constants(found.constants),
        _limits(found),
        _landing(found.landings),
        _queue(found),
        _bigquery(found.constants),
    ]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _answer(found: Found) -> str:
    demand, machine = found.demand, found.machine
    rows = [
        [step.what, step.arithmetic, f"{step.machines}" + (f" + {step.spare}" if step.spare else "")]
        for step in found.steps
    ]
    return "\n\n".join(
        [
            f"## How many machines for {demand.users / 1e6:g} million users,"
            f" {demand.events_per_year / 1e9:g} billion"
            f" events a year and {demand.requests_per_s:,.0f} requests a second",
            prose(
                f"**{sum(step.all for step in found.steps)} machines** of {machine.cores} cores,"
                f" {machine.memory_gb:g} GB of memory and {machine.disk_gb:,.0f} GB of disk, with"
                f" {demand.years_kept:g} year of history. {machine.usable:.0%} of each is planned with; a"
                " number"
                " behind a plus is a machine that may fail."
            ),
            table(("for", "arithmetic", "machines"), rows).replace(
                "| --- | ---: | ---: |", "| --- | --- | ---: |"
            ),
            prose(
                "Bytes are those of the embedded stores. Servers keep the same rows with indexes and"
                " copies of"
                " their own: the column of copies is what stands for them, and was not measured."
                " Requests are look-ups"
                f" ({LOOK_UP}) at the busiest time."
            ),
        ]
    )


def _constants(constants: Constants) -> str:
    questions = [
        [name, f"{one.cpu_ms:.2f}", f"{one.quantiles_ms[50]:.1f}", f"{one.quantiles_ms[98]:.1f}"]
        for name, one in constants.api.questions.items()
    ]
    stored = [
        [f"{said}, of one {thing}", f"{constants.bytes[store]:,.0f}"]
        for store, (thing, said) in STORES.items()
    ]
    small, large = constants.events
    return "\n\n".join(
        [
            "## Constants",
            prose(
                f"Runs over {small:,} and {large:,} events, each followed by 1 % more. A stage costs a fixed"
                " part and a part for each of what drives it, CPU seconds by the line through both sizes;"
                f" stages below {_SHOWN:.0%} are left out."
            ),
            _stages(constants),
            prose(
                f"An event is a message in {constants.messages_per_event:.0%} of the cases, and"
                f" {constants.texts_per_message:.0%} of the messages are distinct texts. Without"
                " encoding, a core takes"
                f" {_per_core(constants):,.0f} events a second."
            ),
            table(("bytes on disk", "bytes"), stored),
            table(("one request at a time, one API process", "CPU ms", "p50 ms", "p99 ms"), questions),
            prose("Latencies hold whatever else the machine did meanwhile, CPU milliseconds less of it."),
        ]
    )


def _per_core(constants: Constants) -> float:
    """Events per CPU second of a full run, encoding and what is fixed left out."""
    per_user = constants.events[1] / _users(constants)
    each = sum(
        stage.each / (per_user if stage.driver is Driver.USERS else 1)
        for stage in constants.cost("full", texts=False).values()
    )
    return 1 / each


def _users(constants: Constants) -> float:
    return constants.events[1] / EVENTS_PER_USER


def _stages(constants: Constants) -> str:
    events = constants.events[1]
    amounts = {
        Driver.EVENTS: float(events),
        Driver.USERS: _users(constants),
        Driver.TEXTS: events * constants.messages_per_event * constants.texts_per_message,
    }
    largest = cpu_seconds(constants.full, amounts)
    nothing = StageCost(Driver.EVENTS, 0.0, 0.0)
    rows = [
        [
            name,
            stage.driver.value,
            f"{stage.fixed:.2f}",
            f"{stage.each * 1e6:,.1f}",
            f"{constants.delta.get(name, nothing).fixed:.2f}",
            f"{constants.delta.get(name, nothing).each * 1e6:,.1f}",
        ]
        for name, stage in sorted(constants.full.items(), key=lambda one: -one[1].of(amounts))
        if stage.of(amounts) >= _SHOWN * largest
    ]
    head = ("stage", "driven by", "full: fixed", "per million", "1 % more: fixed", "per million held")
    return table(head, rows).replace("| --- | ---: |", "| --- | --- |", 1)


def _limits(found: Found) -> str:
    demand, constants = found.demand, found.constants
    held = demand.held
    parts = sorted(
        ((stage.of(held), name) for name, stage in constants.cost("delta", texts=False).items()), reverse=True
    )
    total = sum(seconds for seconds, _ in parts)
    named = ", ".join(f"`{name}` {seconds / total:.0%}" for seconds, name in parts[:4])
    return "\n\n".join(
        [
            "## What bounds it",
            prose(
                f"A release after 1 % more events on the full history would take {total / _HOUR:,.1f} CPU"
                " hours by these"
                f" lines, most of it in {named}. A line through small sizes is all that is known of large"
                " ones:"
                f" the history is {demand.held[Driver.EVENTS] / constants.events[1]:,.0f} times what was"
                " measured."
                " One run has one machine; beyond it the same steps run on Spark (`MARKETING_COMPUTE=spark`)."
            ),
        ]
    )


def _landing(landings: Sequence[Landing]) -> str:
    rows: list[list[str]] = []
    for one in landings:
        found = one.delays
        said = (
            [
                _minutes(found.p50),
                _minutes(found.p95),
                _minutes(found.p99),
                f"{found.releases}",
                f"{found.busy:.0%}",
            ]
            if found
            else ["cannot keep up", "", "", "", ""]
        )
        rows.append([f"{one.held:,.0f}", f"{one.files:,}", _minutes(one.release_seconds), *said])
    return "\n\n".join(
        [
            "## From landing to release",
            prose(
                "Simulated with simpy: files of one day, a 365th of the history together, most of them"
                " in the afternoon,"
                f" sizes log-normal. The daemon looks every {LOOK:g} s, a file has to lie still for"
                f" {SETTLE:g} s, four runs"
                " judge at once, and a release is made alone, when nothing waits to be judged or"
                " something admitted"
                f" has waited for {LONGEST_WAIT / 60:g} minutes. Runs take their CPU seconds of the"
                " constants, as on one"
                " core."
            ),
            table(
                ("events held", "files a day", "one release", "p50", "p95", "p99", "releases", "busy"),
                rows,
            ),
        ]
    )


def _queue(found: Found) -> str:
    rows = [
        [
            f"{one.workers}",
            f"{one.busy:.0%}",
            *(f"{1000 * value:.1f}" for value in (one.steady.p50, one.steady.p95, one.steady.p99)),
            *(f"{1000 * value:.1f}" for value in (one.bursty.p50, one.bursty.p95, one.bursty.p99)),
        ]
        for one in found.queues
    ]
    checks = [
        [
            one.what,
            f"{1000 * one.simulated:.3f}",
            f"{1000 * one.expected:.3f}",
            f"{one.simulated / one.expected - 1:+.1%}",
        ]
        for one in found.theory
    ]
    beside = [
        [
            f"{load.rate:,.0f}",
            f"{load.failed}",
            *(f"{1000 * value:.1f}" for value in (load.latency.p50, load.latency.p95, load.latency.p99)),
            *(f"{1000 * value:.1f}" for value in (mine.p50, mine.p95, mine.p99)),
        ]
        for load, mine in found.beside_api
    ]
    return "\n\n".join(
        [
            "## The serving queue",
            prose(
                "Simulated with simpy: requests come at random (Poisson), or three times as often for a tenth"
                " of the time, about a thousand at a stretch, with the same mean; service takes what was"
                " measured, one request at a time. Milliseconds from arrival to answer."
            ),
            table(
                ("workers", "busy", "p50", "p95", "p99", "p50 in bursts", "p95 in bursts", "p99 in bursts"),
                rows,
            ),
            prose("Beside theory, mean milliseconds in the queue:"),
            table(("queue", "simulated", "theory", "off by"), checks),
            prose(
                "Beside one API process that was asked at random, milliseconds. The process shares its"
                " cores with the client"
                " and whatever else runs, which the simulation knows nothing of:"
            ),
            table(
                (
                    "requests/s",
                    "failed",
                    "p50",
                    "p95",
                    "p99",
                    "p50 simulated",
                    "p95 simulated",
                    "p99 simulated",
                ),
                beside,
            ),
        ]
    )


def _bigquery(constants: Constants) -> str:
    most = sorted(constants.bigquery.items(), key=lambda one: -one[1])
    whole = sum(constants.bigquery.values())
    rows = [[f"`{name}`", f"{each:,.0f}", f"{each * 1e7 / _GB:,.2f}"] for name, each in most[:_MOST]]
    rest = sum(each for _, each in most[_MOST:])
    rows += [
        ["all other steps", f"{rest:,.0f}", f"{rest * 1e7 / _GB:,.2f}"],
        ["**a whole refresh**", f"{whole:,.0f}", f"{whole * 1e7 / _GB:,.2f}"],
    ]
    return "\n\n".join(
        [
            "## What BigQuery reads",
            prose(
                "With the tables in BigQuery, estimated from the columns that each statement of a full"
                " run names and their"
                " logical sizes; the emulator estimates nothing. The real one is asked before each"
                " refresh and the answer"
                " stands with what was billed in the metadata of the asset (`cost/bytes_estimated`,"
                " `cost/bytes_billed`), where it may be more: a statement is billed at least 10 MB for"
                " each table."
            ),
            table(("step", "bytes per event", "GB at 10,000,000 events"), rows),
        ]
    )


def _minutes(seconds: float) -> str:
    if seconds < _HOUR:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / _HOUR:,.1f} h"
