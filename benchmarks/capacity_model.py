"""How many machines a demand needs: arithmetic over what was measured, each step of it kept to be shown.

Nothing is measured here (`capacity_constants.py`) and nothing is drawn by chance (`capacity_queue.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import ceil


class Driver(Enum):
    """What the cost of a stage grows with."""

    EVENTS = "events"
    USERS = "users"
    TEXTS = "distinct texts"


@dataclass(frozen=True)
class StageCost:
    """CPU seconds of a stage: `fixed`, and `each` of what drives it."""

    driver: Driver
    fixed: float
    each: float

    def of(self, amounts: Mapping[Driver, float]) -> float:
        """CPU seconds for so much of everything."""
        return self.fixed + self.each * amounts[self.driver]


@dataclass(frozen=True)
class Demand:
    """What is asked of an installation."""

    users: float
    events_per_year: float
    requests_per_s: float  # at the busiest time of day
    messages_per_event: float
    texts_per_message: float  # distinct ones, by all messages
    years_kept: float = 1.0

    @property
    def held_events(self) -> float:
        """Events of the whole history."""
        return self.events_per_year * self.years_kept

    @property
    def held(self) -> dict[Driver, float]:
        """How much there is of everything once the history is full."""
        events = self.held_events
        texts = events * self.messages_per_event * self.texts_per_message
        return {Driver.EVENTS: events, Driver.USERS: self.users, Driver.TEXTS: texts}

    @property
    def messages(self) -> float:
        """Messages of the history, each with a vector."""
        return self.held_events * self.messages_per_event


@dataclass(frozen=True)
class Machine:
    """What one machine has, and how much of it may be used so that a busy minute fits, too."""

    cores: int = 16
    memory_gb: float = 64.0
    disk_gb: float = 2_000.0
    usable: float = 0.7


@dataclass(frozen=True)
class Step:
    """One line of the arithmetic: what it is about, how it was worked out, and the machines it comes to."""

    what: str
    arithmetic: str
    machines: int
    spare: int = 0  # more, so that one may fail

    @property
    def all(self) -> int:
        """Machines with the spare ones."""
        return self.machines + self.spare


def cpu_seconds(stages: Mapping[str, StageCost], amounts: Mapping[Driver, float]) -> float:
    """CPU seconds of a run over so much of everything."""
    return sum(stage.of(amounts) for stage in stages.values())


def for_requests(demand: Demand, request_ms: float, machine: Machine) -> Step:
    """Machines of the API, from the CPU milliseconds of a request."""
    cores = demand.requests_per_s * request_ms / 1000
    machines = ceil(cores / (machine.cores * machine.usable))
    return Step(
        "API",
        f"{demand.requests_per_s:,.0f} requests/s x {request_ms:.2f} CPU ms = {cores:.1f} cores busy;"
        f" / ({machine.cores} cores x {machine.usable:.0%})",
        machines,
        spare=1,
    )


def for_runs(what: str, seconds: float, within: float, machine: Machine) -> Step:
    """Machines that do so many CPU seconds within so many seconds."""
    cores = seconds / within
    return Step(
        what,
        f"{seconds:,.0f} CPU s within {within / 3600:g} h = {cores:.1f} cores;"
        f" / ({machine.cores} cores x {machine.usable:.0%})",
        ceil(cores / (machine.cores * machine.usable)),
    )


def for_bytes(what: str, each: Mapping[str, tuple[float, float]], copies: int, machine: Machine) -> Step:
    """Machines whose disks hold `copies` of everything; `each` is (how many, bytes of one) by what it is."""
    total = sum(count * size for count, size in each.values()) / 1e9
    said = " + ".join(f"{count:,.0f} {name} x {size:,.0f} B" for name, (count, size) in each.items())
    return Step(
        what,
        f"({said}) = {total:,.0f} GB; x {copies} copies / ({machine.disk_gb:,.0f} GB x {machine.usable:.0%})",
        ceil(total * copies / (machine.disk_gb * machine.usable)),
    )


def for_memory(what: str, count: float, bytes_each: float, copies: int, machine: Machine) -> Step:
    """Machines whose memory holds `copies` of so many things."""
    total = count * bytes_each / 1e9
    return Step(
        what,
        f"{count:,.0f} x {bytes_each:,.0f} B = {total:,.0f} GB of memory; x {copies} copies"
        f" / ({machine.memory_gb:g} GB x {machine.usable:.0%})",
        ceil(total * copies / (machine.memory_gb * machine.usable)),
    )


def fitted(driver: Driver, small: tuple[float, float], large: tuple[float, float]) -> StageCost:
    """The line through two measurements (amount, CPU seconds); neither part is less than nothing.

    A stage that took less where there was more is noise: its cost is taken as fixed.

    Raises:
        ValueError: Both amounts are the same.
    """
    (few, before), (many, after) = sorted([small, large])
    if few == many:
        raise ValueError(f"two sizes are needed, both have {few:,.0f} {driver.value}")
    each = max(0.0, (after - before) / (many - few))
    # A line that begins below zero is one that bends upwards: it is laid through zero and the larger size.
    if each * few > before:
        return StageCost(driver, 0.0, after / many)
    return StageCost(driver, before - each * few if each else max(before, after), each)
