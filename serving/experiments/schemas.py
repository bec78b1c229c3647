"""How experiments look in answers; `experiments/judging.py` says what the figures mean."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from marketing_platform.experiments.spec import Surface
from serving import responses
from serving.responses import Part

_Share = Annotated[float, Field(ge=0, le=1)]


class MetricOfArm(Part):
    """What the users of an arm did; of control nothing is compared."""

    metric: str = Field(
        description="As `metrics` of the list of experiments names it.", examples=["purchase"]
    )
    converted: int = Field(description="Users who did it within the experiment's days of their exposure.")
    rate: _Share | None = Field(description="Of the arm's users; null without any.")
    lift: float | None = Field(description="Relative to control: 0.1 is ten per cent more.")
    low: float | None = Field(description="Lower end of the lift's interval, which holds at every look.")
    high: float | None = Field(description="Upper end; null when nothing is ruled out.")
    p: _Share | None = Field(description="p-value of no difference, which holds at every look.")


class ArmOfExperiment(Part):
    """A variant, and what its users did."""

    arm: str = Field(description="Its name.", examples=["trending"])
    control: bool = Field(description="Whether the others are compared with it.")
    weight: _Share = Field(description="The share of users that is drawn into it.")
    users: int = Field(description="Users who were shown it.")
    metrics: tuple[MetricOfArm, ...] = Field(description="The experiment's metric, then its guardrails.")


class DecisionOnExperiment(Part):
    """What everyone gets from now on, while the experiment lasts."""

    outcome: Literal["stopped", "winner"] = Field(description="stopped: a guardrail broke.")
    arm: str = Field(description="What everyone gets.")
    day: date = Field(description="The day of the data on which it was clear.")
    reason: str = Field(description="Why.")


class ExperimentLine(Part):
    """An experiment and how it stands."""

    experiment: str = Field(description="Its name.", examples=["product_list"])
    hypothesis: str = Field(description="What is expected.")
    surface: Surface = Field(description="Where arms are shown.")
    about: str = Field(description="The list that is asked for, or the template.", examples=["product"])
    starts: date = Field(description="First day, UTC.")
    ends: date | None = Field(description="Last day; null while none is set.")
    metric: str = Field(description="What it is judged by.", examples=["purchase"])
    within_days: int = Field(description="What users do for so long after their exposure counts.")
    control: str = Field(description="The arm that the others are compared with.")
    automatic_winner: bool = Field(description="Whether everyone gets an arm that is surely better.")
    status: Literal["waiting", "running", "over", "stopped", "winner"] = Field(description="How it stands.")
    first_day: date | None = Field(description="Of exposures.")
    last_day: date | None = Field(description="Of anything that is counted.")
    users: int = Field(description="Users who were shown an arm, and only one.")
    users_in_two_arms: int = Field(description="Users who were shown several; left out of everything else.")
    sample_ratio_p: _Share | None = Field(description="p-value of the sizes of arms against their weights.")
    sample_ratio_mismatch: bool = Field(description="Whether they differ beyond chance: trust nothing then.")
    arms: tuple[ArmOfExperiment, ...] = Field(description="As they are declared.")
    decision: DecisionOnExperiment | None = Field(description="Null while nothing is decided.")


class StepOfPath(Part):
    """The lift of an arm as it was known at the end of a day."""

    day: date = Field(description="The day, UTC.")
    arm: str = Field(description="The arm.")
    lift: float | None = Field(description="Relative to control.")
    low: float | None = Field(description="Lower end of its interval.")
    high: float | None = Field(description="Upper end; null when nothing is ruled out.")


class ExperimentAnswer(ExperimentLine, responses.Answer):
    """One experiment."""

    path: tuple[StepOfPath, ...] = Field(description="The last 120 days of the experiment's own metric.")


class GlobalHoldout(Part):
    """Users who are in no experiment."""

    share: _Share = Field(description="How many.")
    seed: str = Field(description="Another one draws other users.")


class ExperimentsAnswer(responses.Answer):
    """All experiments of a release."""

    items: tuple[ExperimentLine, ...] = Field(description="By name.")
    holdout: GlobalHoldout | None = Field(description="Null when everyone may be in experiments.")
    metrics: dict[str, str] = Field(description="What each metric says of a user.")


def _line() -> dict[str, Any]:
    control = {"metric": "purchase", "converted": 120, "rate": 0.12, "lift": None, "low": None, "high": None}
    other = {"metric": "purchase", "converted": 171, "rate": 0.171, "lift": 0.425, "low": 0.08, "high": 0.88}
    return {
        "experiment": "product_list",
        "hypothesis": "Who sees what everyone buys these days buys more.",
        "surface": "recommendations",
        "about": "product",
        "starts": "2026-10-01",
        "ends": None,
        "metric": "purchase",
        "within_days": 14,
        "control": "personal",
        "automatic_winner": False,
        "status": "running",
        "first_day": "2026-10-01",
        "last_day": "2026-11-20",
        "users": 2000,
        "users_in_two_arms": 0,
        "sample_ratio_p": 1.0,
        "sample_ratio_mismatch": False,
        "arms": [
            {
                "arm": "personal",
                "control": True,
                "weight": 0.5,
                "users": 1000,
                "metrics": [{**control, "p": None}],
            },
            {
                "arm": "trending",
                "control": False,
                "weight": 0.5,
                "users": 1000,
                "metrics": [{**other, "p": 0.01}],
            },
        ],
        "decision": None,
    }


def list_example() -> dict[str, Any]:
    """One experiment."""
    return {
        **responses.head_example(),
        "items": [_line()],
        "holdout": {"share": 0.05, "seed": "everything-2026"},
        "metrics": {"purchase": "Bought something."},
    }


def example() -> dict[str, Any]:
    """The same with a day of its path."""
    step = {"day": "2026-11-20", "arm": "trending", "lift": 0.425, "low": 0.08, "high": 0.88}
    return {**responses.head_example(), **_line(), "path": [step]}
