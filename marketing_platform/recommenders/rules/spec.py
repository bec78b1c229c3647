"""What `rules/recommendations.yaml` may say: immutable models that refuse unknown keys.

Only shapes belong here. Names that the catalog must know and rules that contradict each other are
found in `loading.py`; what a rule does is in `applying.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from marketing_platform.declarations import Declared

Kind = Literal["products", "campaigns"]
Reason = Literal["already_bought", "opted_out", "out_of_stock", "ended_campaign", "blocked_by_user", "hidden"]
# What may come true after the release was made: looked at once more when an answer leaves.
WHEN_SERVED: frozenset[Reason] = frozenset(
    {"opted_out", "out_of_stock", "ended_campaign", "blocked_by_user", "hidden"}
)


class Condition(Declared):
    """What must be so of a value; every key given holds. Written short, a value or a list is `is`.

    No condition holds of a value that is missing. That values fit the column is seen in `loading.py`.
    """

    one_of: tuple[Any, ...] | None = Field(None, alias="is", min_length=1)
    at_least: Any = None
    at_most: Any = None
    none_of: tuple[Any, ...] | None = Field(None, alias="not", min_length=1)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("a value, a list of values, or at least one of is, at_least, at_most, not")
        return self


def _condition(written: Any) -> Any:
    if isinstance(written, Mapping):
        return {key: _listed(value) if key in ("is", "not") else value for key, value in written.items()}
    return written if isinstance(written, Condition) else {"is": _listed(written)}


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) or value is None else [value]


# By attribute of the item (a column of its table in the catalog); all of them hold.
Filter = Annotated[
    Mapping[str, Annotated[Condition, BeforeValidator(_condition)]],
    Field(min_length=1),
]


class _Rule(Declared):
    name: str = Field(min_length=1, max_length=60)  # what people call the rule; one of its own per kind


class Exclude(_Rule):
    """Items that are not to be recommended: for a reason, or by their attributes."""

    rule: Literal["exclude"]
    when: Reason | None = None
    where: Filter | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.when is None) == (self.where is None):
            raise ValueError("either `when` (a reason) or `where` (attributes of items)")
        return self

    @property
    def label(self) -> str:
        return f"exclude {self.name}"

    @property
    def leaves_when_served(self) -> bool:
        """Whether the rule is looked at again when an answer leaves."""
        return self.when in WHEN_SERVED


class FrequencyCap(_Rule):
    """An item that a user was shown `times` times within `days` days rests for that user."""

    rule: Literal["frequency_cap"]
    times: int = Field(ge=1)
    days: float = Field(gt=0, allow_inf_nan=False)

    @property
    def label(self) -> str:
        return f"frequency cap {self.name} {self.times}x in {self.days:g} days"


class MinimumScore(_Rule):
    """What the recommender (not a fallback) scores lower is left out; boosts do not count."""

    rule: Literal["minimum_score"]
    score: float = Field(gt=0, allow_inf_nan=False)

    @property
    def label(self) -> str:
        return f"minimum score {self.name} {self.score:g}"


class Boost(_Rule):
    """Scores of some items times a factor; below 1 it pushes them down."""

    rule: Literal["boost"]
    factor: float = Field(gt=0, le=100, allow_inf_nan=False)
    where: Filter

    @property
    def label(self) -> str:
        return f"boost {self.name} x{self.factor:g}"


class Diversity(_Rule):
    """Maximal marginal relevance: 1 is the plain ranking, 0 only that items differ."""

    rule: Literal["diversity"]
    weight: float = Field(alias="lambda", ge=0, le=1, allow_inf_nan=False)

    @property
    def label(self) -> str:
        return f"diversity {self.name} lambda {self.weight:g}"


class AtMost(_Rule):
    """No more than so many items of a list share the attribute; items without it are not counted."""

    rule: Literal["at_most"]
    items: int = Field(ge=1)
    per: str = "category"

    @property
    def label(self) -> str:
        return f"at most {self.name} {self.items} per {self.per}"


class Pin(_Rule):
    """An item at a place of everybody's list, whether or not it was recommended."""

    rule: Literal["pin"]
    item: str = Field(min_length=1)
    position: int = Field(ge=1)
    until: date | None = None  # the last day

    @property
    def label(self) -> str:
        return f"pin {self.name} at {self.position}"


class Holdout(_Rule):
    """A share of users who get the popular list, to measure what personal lists are worth."""

    rule: Literal["holdout"]
    share: float = Field(gt=0, lt=1, allow_inf_nan=False)
    salt: str = Field(min_length=1)  # another salt draws other users

    @property
    def label(self) -> str:
        return f"holdout {self.name} {self.share:.3g}"


RULES: dict[str, type[Declared]] = {
    "exclude": Exclude,
    "frequency_cap": FrequencyCap,
    "minimum_score": MinimumScore,
    "boost": Boost,
    "diversity": Diversity,
    "at_most": AtMost,
    "pin": Pin,
    "holdout": Holdout,
}
Rule = Annotated[
    Exclude | FrequencyCap | MinimumScore | Boost | Diversity | AtMost | Pin | Holdout,
    Field(discriminator="rule"),
]


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """By the stages of evaluation (`applying.py`), then by name."""
    stages = ["holdout", "exclude", "frequency_cap", "minimum_score", "boost", "pin", "diversity", "at_most"]
    return sorted(rules, key=lambda rule: (stages.index(rule.rule), rule.name))


# A bit each in `Ruled.applied`.
Rules = Annotated[tuple[Rule, ...], Field(max_length=64)]


class RuleBook(Declared):
    """The rules of every kind of item; their order says nothing."""

    products: Rules = ()
    campaigns: Rules = ()

    def of(self, kind: Kind) -> tuple[Rule, ...]:
        """The rules of one kind, in the order in which they are written."""
        return self.products if kind == "products" else self.campaigns
