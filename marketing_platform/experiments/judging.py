"""What an experiment has shown so far: rates, intervals, whether arms are as large as drawn, and decisions.

Counts come by day (`counting.py`). Decisions are found by walking through the days, each with the data until
its end: so a release that is made anew of the same data decides the same, and what was decided stays so.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

from scipy.stats import chisquare

from marketing_platform.experiments.assigning import Decision
from marketing_platform.experiments.counting import MIXED, USERS, metrics_of
from marketing_platform.experiments.sequential import (
    Counts,
    evidence,
    interval,
    p_value,
    surely_above,
    surely_below,
)
from marketing_platform.experiments.spec import Declarations, Experiment, Metric

ALPHA = 0.05  # of an experiment; divided among the arms that are compared with control
# A chi-square test is no sequential one: what is looked at again and again has to be this unlikely.
MISMATCH = 0.001
_PATH_DAYS = 120  # the last ones, of the path of intervals


@dataclass(frozen=True)
class Compared:
    """A metric of an arm; of other arms than control also against control."""

    metric: str
    converted: int
    rate: float | None  # None without users
    lift: float | None = None  # relative to control; None where control has none
    low: float | None = None  # of the lift
    high: float | None = None  # None when nothing is ruled out above
    p: float | None = None


@dataclass(frozen=True)
class ArmResult:
    """What is known of an arm."""

    arm: str
    control: bool
    weight: float  # of all arms, adding up to 1
    users: int
    metrics: Sequence[Compared]  # the experiment's own first


@dataclass(frozen=True)
class Step:
    """The interval of an arm at the end of a day."""

    day: date
    arm: str
    lift: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Result:
    """What is known of an experiment."""

    experiment: Experiment
    status: str  # waiting, running, over, stopped or winner
    first_day: date | None  # of exposures
    last_day: date | None  # of anything counted
    users: int
    mixed: int  # users seen in two arms, left out
    mismatch_p: float | None  # of the sizes of arms against their weights; None without users
    arms: Sequence[ArmResult]
    decision: Decision | None
    path: Sequence[Step] = ()

    @property
    def mismatched(self) -> bool:
        """Whether arms are not as large as drawn, beyond chance."""
        return self.mismatch_p is not None and self.mismatch_p < MISMATCH

    def document(self) -> dict[str, Any]:
        """Plain data for a report."""
        one = self.experiment
        return {
            "experiment": one.name,
            "hypothesis": one.hypothesis,
            "surface": one.surface,
            "about": one.about,
            "starts": one.starts,
            "ends": one.ends,
            "metric": one.metric,
            "within_days": one.within_days,
            "control": one.control,
            "automatic_winner": one.automatic_winner,
            "status": self.status,
            "first_day": self.first_day,
            "last_day": self.last_day,
            "users": self.users,
            "users_in_two_arms": self.mixed,
            "sample_ratio_p": self.mismatch_p,
            "sample_ratio_mismatch": self.mismatched,
            "arms": [asdict(arm) for arm in self.arms],
            "decision": asdict(self.decision) if self.decision else None,
            "path": [asdict(step) for step in self.path],
        }


@dataclass
class Day:
    """What was new on a day: users by arm, and who did what, by arm and metric."""

    users: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    mixed: int = 0
    converted: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))


def judge(declared: Declarations, rows: Iterable[Mapping[str, Any]], *, today: date) -> list[Result]:
    """A result for every declared experiment, by name.

    Args:
        declared: The experiments, and what their metrics mean.
        rows: Of `counts_sql`.
        today: On which an experiment waits, runs or is over.
    """
    days: dict[str, dict[date, Day]] = defaultdict(lambda: defaultdict(Day))
    for row in rows:
        day = days[row["experiment"]][row["day"]]
        if row["counted"] == USERS:
            day.users[row["arm"]] += row["users"]
        elif row["counted"] == MIXED:
            day.mixed += row["users"]
        else:
            day.converted[row["arm"], row["counted"]] += row["users"]
    return [_Judge(one, declared.metrics).result(dict(days[one.name]), today) for one in declared.experiments]


class _Judge:
    """Walks through the days of one experiment."""

    def __init__(self, experiment: Experiment, metrics: Mapping[str, Metric]) -> None:
        self._experiment = experiment
        self._metrics = metrics
        self._others = [arm.arm for arm in experiment.arms if arm.arm != experiment.control]
        self._alpha = ALPHA / len(self._others)
        weights = {arm.arm: arm.weight for arm in experiment.arms}
        control = weights[experiment.control]
        self._split = {arm: weights[arm] / (weights[arm] + control) for arm in self._others}
        self._sum = Day()
        self._evidence: dict[tuple[str, str], float] = defaultdict(float)

    def result(self, days: Mapping[date, Day], today: date) -> Result:
        """The result at the end of the last day."""
        decision: Decision | None = None
        path: list[Step] = []
        exposed = [day for day, new in days.items() if new.users or new.mixed]
        for day in sorted(days):
            self._add(days[day])
            decision = decision or self._decided(day)
            if day > max(days) - timedelta(days=_PATH_DAYS):
                path += self._steps(day)
        return Result(
            experiment=self._experiment,
            status=decision.outcome if decision else _status(self._experiment, today),
            first_day=min(exposed, default=None),
            last_day=max(days, default=None),
            users=sum(self._sum.users.values()),
            mixed=self._sum.mixed,
            mismatch_p=self._mismatch(),
            arms=[self._arm(arm.arm) for arm in self._experiment.arms],
            decision=decision,
            path=path,
        )

    def _add(self, new: Day) -> None:
        self._sum.mixed += new.mixed
        for arm, users in new.users.items():
            self._sum.users[arm] += users
        for key, converted in new.converted.items():
            self._sum.converted[key] += converted
        for arm in self._others:
            for metric in metrics_of(self._experiment):
                known = evidence(self._counts(arm, metric), split=self._split[arm])
                self._evidence[arm, metric] = max(self._evidence[arm, metric], known)

    def _counts(self, arm: str, metric: str) -> Counts:
        converted = self._sum.converted
        return Counts(converted[arm, metric], converted[self._experiment.control, metric])

    def _decided(self, day: date) -> Decision | None:
        for guardrail in self._experiment.guardrails:
            for arm in self._others:
                if self._differs(arm, guardrail.metric, good=False, by=guardrail.worse_by):
                    told = self._told(arm, guardrail.metric)
                    reason = f"guardrail: {told}, more than {guardrail.worse_by:.0%} worse than control"
                    return Decision("stopped", self._experiment.control, day, reason)
        return self._won(day) if self._experiment.automatic_winner else None

    def _won(self, day: date) -> Decision | None:
        mismatch = self._mismatch()
        if mismatch is None or mismatch < MISMATCH:
            return None  # who is compared is not who was drawn: nothing follows from it
        metric = self._experiment.metric
        better = [arm for arm in self._others if self._differs(arm, metric, good=True)]
        if better:
            up = self._metrics[metric].better == "higher"
            best = sorted(better, key=lambda arm: self._rate(arm, metric) or 0.0, reverse=up)[0]
            return Decision("winner", best, day, f"{self._told(best, metric)}, better than control")
        if all(self._differs(arm, metric, good=False) for arm in self._others):
            reason = (
                f"every other arm does worse: {'; '.join(self._told(arm, metric) for arm in self._others)}"
            )
            return Decision("winner", self._experiment.control, day, reason)
        return None

    def _differs(self, arm: str, metric: str, *, good: bool, by: float = 0.0) -> bool:
        """Whether an arm is surely better or worse than control, by more than a share of it."""
        counts, split = self._counts(arm, metric), self._split[arm]
        if (self._metrics[metric].better == "higher") == good:
            return surely_above(counts, 1 + by, split=split, alpha=self._alpha)
        return surely_below(counts, 1 - by, split=split, alpha=self._alpha)

    def _rate(self, arm: str, metric: str) -> float | None:
        users = self._sum.users[arm]
        return self._sum.converted[arm, metric] / users if users else None

    def _arm(self, name: str) -> ArmResult:
        one = self._experiment
        weight = next(w for arm, w in zip(one.arms, one.weights, strict=True) if arm.arm == name)
        compared = [self._compared(name, metric) for metric in metrics_of(one)]
        return ArmResult(name, name == one.control, weight, self._sum.users[name], compared)

    def _compared(self, arm: str, metric: str) -> Compared:
        converted, rate = self._sum.converted[arm, metric], self._rate(arm, metric)
        if arm == self._experiment.control:
            return Compared(metric, converted, rate)
        low, high = self._interval(arm, metric)
        p = min(1.0, p_value(self._evidence[arm, metric]) * len(self._others))
        return Compared(metric, converted, rate, self._lift(arm, metric), low, high, p)

    def _lift(self, arm: str, metric: str) -> float | None:
        rate, base = self._rate(arm, metric), self._rate(self._experiment.control, metric)
        return None if rate is None or not base else rate / base - 1

    def _interval(self, arm: str, metric: str) -> tuple[float, float | None]:
        found = interval(self._counts(arm, metric), split=self._split[arm], alpha=self._alpha)
        return found.low - 1, None if math.isinf(found.high) else found.high - 1

    def _steps(self, day: date) -> Iterator[Step]:
        metric = self._experiment.metric
        for arm in self._others:
            yield Step(day, arm, self._lift(arm, metric), *self._interval(arm, metric))

    def _mismatch(self) -> float | None:
        seen = [self._sum.users[arm.arm] for arm in self._experiment.arms]
        return sample_ratio_p(seen, self._experiment.weights)

    def _told(self, arm: str, metric: str) -> str:
        low, high = self._interval(arm, metric)
        lift = self._lift(arm, metric)
        between = f"{low:+.0%} to {'any' if high is None else format(high, '+.0%')}"
        return f"{metric} of {arm} {'' if lift is None else format(lift, '+.0%') + ' '}(interval {between})"


def sample_ratio_p(seen: Sequence[int], weights: Sequence[float]) -> float | None:
    """The p-value of a chi-square test of sizes against weights (adding up to 1); None without anybody."""
    total = sum(seen)
    return float(chisquare(seen, [total * weight for weight in weights]).pvalue) if total else None


def _status(experiment: Experiment, today: date) -> str:
    if today < experiment.starts:
        return "waiting"
    return "running" if experiment.on(today) else "over"
