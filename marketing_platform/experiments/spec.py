"""What `experiments/*.yaml` may say: immutable models that refuse unknown keys.

Only shapes belong here. Names that others must know, and experiments that get in each other's way, are found
in `loading.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from marketing_platform.declarations import Declared
from marketing_platform.experiments.bucketing import Range, ranges
from marketing_platform.recommenders.rules.spec import Filter

Surface = Literal["recommendations", "email"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
# Lists of products that can stand for one another; all have items of the same form.
LISTS = ("product", "trending", "cross_category", "content")

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Arm(Declared):
    """One variant."""

    arm: Name
    weight: float = Field(gt=0, allow_inf_nan=False)  # against those of the other arms
    list: Name | None = None  # of recommendations: whose items this arm shows


class Namespace(Declared):
    """A part of the users; experiments with other parts of the same namespace never share a user."""

    id: Name
    start: _Share = Field(alias="from")
    end: _Share = Field(alias="to")


class Guardrail(Declared):
    """A metric that must not become worse: relative to control, by more than a share."""

    metric: Name
    worse_by: float = Field(ge=0, le=10, allow_inf_nan=False)  # 0.1: ten per cent worse is borne


class Experiment(Declared):
    """One file, named after its experiment."""

    experiment: Name
    hypothesis: str = Field(min_length=1)
    surface: Surface
    about: str = Field(min_length=1)  # the list that is asked for, or the template
    seed: str | None = Field(None, min_length=1)  # another seed draws anew; the name unless given
    coverage: float = Field(1.0, gt=0, le=1, allow_inf_nan=False)
    namespace: Namespace | None = None
    starts: date
    ends: date | None = None  # the last day
    arms: tuple[Arm, ...] = Field(min_length=2, max_length=10)
    control: Name
    metric: Name  # what is to become better
    within_days: int = Field(ge=1, le=365)  # of the first exposure
    guardrails: tuple[Guardrail, ...] = ()
    automatic_winner: bool = False

    @property
    def name(self) -> str:
        return self.experiment

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """Of the arms, adding up to 1."""
        whole = sum(arm.weight for arm in self.arms)
        return tuple(arm.weight / whole for arm in self.arms)

    @cached_property
    def ranges(self) -> tuple[Range, ...]:
        """The part of the circle that each arm has."""
        return ranges(self.weights, self.coverage)

    @cached_property
    def drawn_by(self) -> str:
        """What the hash begins with."""
        return self.seed or self.experiment

    def arm(self, name: str) -> Arm:
        """The arm of that name; KeyError when there is none."""
        for arm in self.arms:
            if arm.arm == name:
                return arm
        raise KeyError(name)

    def on(self, day: date) -> bool:
        """Whether the experiment goes on that day (UTC)."""
        return self.starts <= day and (self.ends is None or day <= self.ends)


class Holdout(Declared):
    """`holdout.yaml`: a share of users who are in no experiment at all."""

    share: float = Field(gt=0, lt=1, allow_inf_nan=False)
    seed: str = Field(min_length=1)  # another seed draws others


class Metric(Declared):
    """Something users do or do not do: the share of an arm's users with at least one such row."""

    metric: Name
    says: str = Field(min_length=1)
    table: Name = Field(alias="from")  # with a user and a moment
    where: Filter | None = None
    better: Literal["higher", "lower"]


class MetricFile(Declared):
    """`metrics.yaml`."""

    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True)
class Declarations:
    """All of the folder."""

    experiments: tuple[Experiment, ...] = ()  # by name
    holdout: Holdout | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
