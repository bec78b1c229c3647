"""Who is in which arm of which experiment, on a day: the same answer in every process.

The hash decides, unless the user has been in another arm before (weights were changed since), or a release
decided that the experiment is over. How a release decides is in `deciding.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

from marketing_platform.experiments.bucketing import bucket, chosen, in_namespace
from marketing_platform.experiments.spec import Arm, Declarations, Experiment, Surface


@dataclass(frozen=True)
class Decision:
    """What a release found out, and everyone gets from then on while the experiment lasts."""

    outcome: Literal["stopped", "winner"]
    arm: str  # control when it was stopped
    day: date  # of the data, on which it was clear
    reason: str


@dataclass(frozen=True)
class Assignment:
    """What a user gets.

    `exposed` says that the user takes part: who shows the variant records an exposure. It is False for an
    experiment that is decided: the arm is shown, and nobody is counted any more.
    """

    experiment: str
    arm: Arm
    exposed: bool

    @property
    def variant(self) -> str:
        """The arm's name."""
        return self.arm.arm


# The arm in which a user was first, of an experiment; None when in none.
FirstArm = Callable[[str, str], str | None]


def never_before(_experiment: str, _user_id: str) -> None:
    """A `FirstArm` that knows of nobody."""


@dataclass(frozen=True)
class Experiments:
    """The declared experiments, with what releases decided about them and who was where before."""

    declared: Declarations
    decisions: Mapping[str, Decision]  # by name of the experiment
    first_arm: FirstArm = never_before

    def assign(self, *, surface: Surface, about: str, user_id: str, day: date) -> Assignment | None:
        """What a user gets of one thing on a day (UTC); None when no experiment says anything about it.

        Args:
            surface: Where it is shown.
            about: The list that is asked for, or the name of the template.
            user_id: Who gets it.
            day: On which experiments have begun and not ended.
        """
        for experiment in self._about.get((surface, about), ()):
            if experiment.on(day) and not self.held_out(user_id):
                found = self._assigned(experiment, user_id)
                if found is not None:
                    return found
        return None

    def held_out(self, user_id: str) -> bool:
        """Whether the user is in no experiment at all."""
        holdout = self.declared.holdout
        return holdout is not None and bucket(holdout.seed, user_id) < holdout.share

    @cached_property
    def _about(self) -> Mapping[tuple[Surface, str], tuple[Experiment, ...]]:
        found: dict[tuple[Surface, str], tuple[Experiment, ...]] = {}
        for one in self.declared.experiments:
            found[one.surface, one.about] = (*found.get((one.surface, one.about), ()), one)
        return found

    def _assigned(self, experiment: Experiment, user_id: str) -> Assignment | None:
        decision = self.decisions.get(experiment.name)
        if decision is not None:
            arm = experiment.arm(decision.arm) if eligible(experiment, user_id) else None
            return Assignment(experiment.name, arm, exposed=False) if arm else None
        arm = _named(experiment, self.first_arm(experiment.name, user_id)) or drawn(experiment, user_id)
        return Assignment(experiment.name, arm, exposed=True) if arm else None


def eligible(experiment: Experiment, user_id: str) -> bool:
    """Whether the user is of the experiment's part of its namespace."""
    part = experiment.namespace
    return part is None or in_namespace(user_id, part.id, (part.start, part.end))


def drawn(experiment: Experiment, user_id: str) -> Arm | None:
    """The arm that the hash alone puts a user in; None for who is not covered."""
    if not eligible(experiment, user_id):
        return None
    index = chosen(bucket(experiment.drawn_by, user_id), experiment.ranges)
    return None if index is None else experiment.arms[index]


def _named(experiment: Experiment, name: str | None) -> Arm | None:
    return next((arm for arm in experiment.arms if arm.arm == name), None) if name is not None else None
