"""How many machines a demand needs: `python -m benchmarks.capacity`, or `make capacity`.

Works out and simulates from the constants in `capacity.json`, with `--write-docs` into docs/capacity.md; with
`--measure` it measures those first. The last line is one JSON object. Arithmetic is `capacity_model.py`'s,
queues are `capacity_queue.py`'s, the way from landing to release `capacity_landing.py`'s.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.capacity_api import LOOK_UP, OpenLoad
from benchmarks.capacity_constants import Constants, load_constants, measured, save
from benchmarks.capacity_landing import DAY, RunTime, day_of_files, simulated_day
from benchmarks.capacity_model import (
    Demand,
    Machine,
    Step,
    cpu_seconds,
    for_bytes,
    for_memory,
    for_requests,
    for_runs,
)
from benchmarks.capacity_page import Checked, Found, Landing, Queue, write
from benchmarks.capacity_queue import (
    Gaps,
    Latency,
    bursts,
    mean_wait,
    mean_wait_of_one,
    poisson,
    simulated,
    summary,
)
from marketing_platform.encoders.minilm import DIM

DEMAND_USERS, DEMAND_EVENTS, DEMAND_REQUESTS = 10e6, 1e9, 2_000.0
_SIZES = (100_000, 1_000_000)
_FILES_A_DAY = 96
_HELD = (1e6, 1e7, 1e8, 1e9)
_WORKERS, _BUSY = (1, 4, 16), (0.5, 0.7, 0.9)
_REQUESTS = 40_000
_FACTOR, _SHARE, _IN_A_BURST = 3.0, 0.1, 1_000
_THEORY_REQUESTS = 400_000
_FULL_WITHIN, _RELEASE_WITHIN = 24 * 3600.0, 6 * 3600.0
_COPIES = 3
_FLOAT = 4
_INDEX = 1.2  # of the vectors: links of a graph of neighbours with 16 each, beside 384 floats
_HISTORY = ("kept", "documents.sqlite", "enriched", "warehouse")


def answered(demand: Demand, constants: Constants, machine: Machine) -> list[Step]:
    """The machines by what they are for."""
    held, events = demand.held, demand.held_events
    bytes_ = constants.bytes
    return [
        for_requests(demand, constants.api.questions[LOOK_UP].cpu_ms, machine),
        for_runs(
            "a release after 1 % more events",
            cpu_seconds(constants.delta, held),
            _RELEASE_WITHIN,
            machine,
        ),
        for_runs("everything anew", cpu_seconds(constants.full, held), _FULL_WITHIN, machine),
        for_bytes(
            "records, tables, objects",
            {"events": (events, sum(bytes_[store] for store in _HISTORY))},
            _COPIES,
            machine,
        ),
        for_bytes("ready answers", {"users": (demand.users, bytes_["answers"])}, _COPIES, machine),
        for_bytes("knowledge graph", {"events": (events, bytes_["graphs"])}, _COPIES, machine),
        for_memory("vectors of messages, in memory", demand.messages, DIM * _FLOAT * _INDEX, 2, machine),
    ]


def landings(demand: Demand, constants: Constants) -> list[Landing]:
    """A day of landing at several sizes of the history; users and texts in proportion."""
    return [_landing(demand, constants, held) for held in _HELD]


def _landing(demand: Demand, constants: Constants, held: float) -> Landing:
    share = held / demand.held_events
    amounts = {driver: amount * share for driver, amount in demand.held.items()}
    judging = [constants.full[stage] for stage in ("raw_records", "validate_batches")]
    releasing = sum(
        stage.of(amounts)
        for name, stage in constants.delta.items()
        if name not in ("raw_records", "validate_batches", "landing")
    )
    files = day_of_files(_FILES_A_DAY, held / 365)
    if releasing > DAY:
        return Landing(held, _FILES_A_DAY, releasing, None)
    found = simulated_day(
        files,
        judging=RunTime(sum(stage.fixed for stage in judging), sum(stage.each for stage in judging)),
        releasing=RunTime(releasing, 0.0),
    )
    return Landing(held, _FILES_A_DAY, releasing, found)


def queues(services: Sequence[float]) -> list[Queue]:
    """The serving queue at several loads."""
    mean = float(np.mean(services))
    return [
        Queue(workers, busy, *(_latency(gaps, services, workers) for gaps in _both(busy * workers / mean)))
        for workers in _WORKERS
        for busy in _BUSY
    ]


def _both(rate: float) -> tuple[Gaps, Gaps]:
    seconds = _IN_A_BURST / (_FACTOR * rate)
    return poisson(rate), bursts(rate, factor=_FACTOR, share=_SHARE, seconds=seconds)


def _latency(gaps: Gaps, services: Sequence[float], workers: int) -> Latency:
    return summary(simulated(gaps, services, workers=workers, requests=_REQUESTS))


def theory(services: Sequence[float]) -> list[Checked]:
    """Simulations of queues that theory knows, 70 % busy."""
    mean, busy = float(np.mean(services)), 0.7
    # As many draws as requests make the service of M/M/c exponential.
    exponential = np.random.default_rng(7).exponential(mean, _THEORY_REQUESTS)
    found: list[Checked] = []
    for workers in (1, 4):
        rate = busy * workers / mean
        waited = _waited(rate, list(exponential), workers)
        found.append(Checked(f"M/M/{workers} (Erlang C)", waited, mean_wait(rate, mean, workers)))
    waited = _waited(busy / mean, services, 1)
    expected = mean_wait_of_one(busy / mean, services)
    return [*found, Checked("one worker, measured service (Pollaczek and Khinchine)", waited, expected)]


def _waited(rate: float, services: Sequence[float], workers: int) -> float:
    latencies = simulated(poisson(rate), services, workers=workers, requests=_THEORY_REQUESTS)
    return float(latencies.mean() - np.mean(services))


def beside_api(constants: Constants) -> list[tuple[OpenLoad, Latency]]:
    """What one API process was measured to do at several rates, and what the simulation says of that."""
    services = services_of(constants)
    return [(load, _latency(poisson(load.rate), services, 1)) for load in constants.api.loads]


def services_of(constants: Constants) -> list[float]:
    """Seconds of service as they were measured, one for each per cent."""
    return [each / 1000 for each in constants.api.questions[LOOK_UP].quantiles_ms]


def main() -> None:
    """Measure when asked to, work out, write the page, print the answer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--measure", action="store_true", help="measure the constants first: minutes, hours for large sizes"
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: sorted(int(size) for size in text.split(",")),
        default=list(_SIZES),
        help="events of the two full runs that are measured",
    )
    parser.add_argument("--folder", type=Path, help="where data folders are made (the system's own)")
    parser.add_argument("--users", type=float, default=DEMAND_USERS, help="users (10 million)")
    parser.add_argument("--events", type=float, default=DEMAND_EVENTS, help="events a year (1 billion)")
    parser.add_argument("--requests", type=float, default=DEMAND_REQUESTS, help="requests a second (2,000)")
    parser.add_argument("--write-docs", action="store_true", help="write docs/capacity.md as well")
    given = parser.parse_args()
    if given.measure:
        with tempfile.TemporaryDirectory(prefix="capacity-", dir=given.folder) as folder:
            save(measured(Path(folder), given.sizes))
    constants, machine = load_constants(), Machine()
    demand = Demand(
        users=given.users,
        events_per_year=given.events,
        requests_per_s=given.requests,
        messages_per_event=constants.messages_per_event,
        texts_per_message=constants.texts_per_message,
    )
    steps = answered(demand, constants, machine)
    if given.write_docs:
        services = services_of(constants)
        write(
            Found(
                constants=constants,
                demand=demand,
                machine=machine,
                steps=steps,
                landings=landings(demand, constants),
                queues=queues(services),
                theory=theory(services),
                beside_api=beside_api(constants),
            )
        )
    for step in steps:
        print(f"{step.machines:>5}  {step.what}: {step.arithmetic}")
    print(
        json.dumps({"machines": sum(step.all for step in steps), **{step.what: step.all for step in steps}})
    )


if __name__ == "__main__":
    main()
