"""From a landed file to the release that serves it: a simulation of daemon, queue and writer lock.

It follows docs/decisions/0012: files that are still when the daemon looks are judged together, several such
runs at a time; a release is made alone, once nothing waits to be judged or something admitted has waited for
long. Times are in seconds. What runs take is measured (`capacity_constants.py`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import simpy

SETTLE, LOOK, LONGEST_WAIT, RUNS = 2.0, 5.0, 600.0, 4
DAY = 86_400.0


@dataclass(frozen=True)
class RunTime:
    """What a run takes: so much whatever comes, and so much for each new event."""

    fixed: float
    per_event: float

    def of(self, events: float) -> float:
        """Seconds for so many new events."""
        return self.fixed + self.per_event * events


@dataclass
class File:
    """A landed file, and when the release that first has it began to serve."""

    landed: float
    events: float
    served: float | None = None


@dataclass(frozen=True)
class Delays:
    """What became of a day's files."""

    p50: float
    p95: float
    p99: float
    releases: int
    busy: float  # share of the day in which a release was being made


def day_of_files(files: int, events: float, *, seed: int = 1) -> list[File]:
    """Files of one day, most of them around 14 h.

    The rate over the day is 1 + .8 * cos, as shops have it; sizes are log-normal and add up to `events`.
    """
    random = np.random.default_rng(seed)
    chosen: list[float] = []
    while len(chosen) < files:
        moment, height = random.uniform(0, DAY), random.uniform(0, 1.8)
        if height < 1 + 0.8 * np.cos(2 * np.pi * (moment / DAY - 14 / 24)):
            chosen.append(moment)
    sizes = random.lognormal(sigma=0.8, size=files)
    return [
        File(landed, float(size))
        for landed, size in zip(sorted(chosen), sizes * events / sizes.sum(), strict=True)
    ]


class _Platform:
    """The daemon and its runs. Attributes are the state that sensors ask for."""

    def __init__(self, files: Sequence[File], judging: RunTime, releasing: RunTime) -> None:
        self.environment = simpy.Environment()
        self.releases, self.busy = 0, 0.0
        self._judging, self._releasing = judging, releasing
        self._ahead = sorted(files, key=lambda file: file.landed, reverse=True)
        self._admitted: list[File] = []
        self._under_way = 0
        self._alone = False
        self._left = len(self._ahead)
        self.environment.process(self._daemon())

    def _daemon(self) -> Generator[simpy.Event]:
        while self._left:
            if not self._alone:
                self._look()
            yield self.environment.timeout(LOOK)

    def _look(self) -> None:
        if self._admitted and (self._overdue() or not self._waiting()):
            # The writer's lock is had once all judging is done; until then nothing new begins.
            if not self._under_way:
                self.environment.process(self._release())
        elif self._waiting() and self._under_way < RUNS:
            taken: list[File] = []
            while self._waiting():
                taken.append(self._ahead.pop())
            self.environment.process(self._judge(taken))

    def _waiting(self) -> bool:
        return bool(self._ahead) and self._ahead[-1].landed + SETTLE <= self.environment.now

    def _overdue(self) -> bool:
        return min(file.landed for file in self._admitted) + LONGEST_WAIT <= self.environment.now

    def _judge(self, files: list[File]) -> Generator[simpy.Event]:
        self._under_way += 1
        yield self.environment.timeout(self._judging.of(sum(file.events for file in files)))
        self._under_way -= 1
        self._admitted += files

    def _release(self) -> Generator[simpy.Event]:
        files, self._admitted, self._alone = self._admitted, [], True
        seconds = self._releasing.of(sum(file.events for file in files))
        yield self.environment.timeout(seconds)
        for file in files:
            file.served = self.environment.now
        self._alone = False
        self._left -= len(files)
        self.releases += 1
        self.busy += seconds


def simulated_day(files: Sequence[File], *, judging: RunTime, releasing: RunTime) -> Delays:
    """Run until every file is served; each file's `served` is set."""
    platform = _Platform(files, judging, releasing)
    platform.environment.run()
    delays = [file.served - file.landed for file in files if file.served is not None]
    p50, p95, p99 = (float(found) for found in np.percentile(delays, (50, 95, 99)))
    lasted = max(DAY, platform.environment.now)
    return Delays(p50, p95, p99, platform.releases, platform.busy / lasted)
