"""Intents: what a question asks for, as a document with a schema. Whoever understands a question, the rules
here or a language model, gives one of these, and nothing else is ever worked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from marketing_platform.analytics.kpis import Filter, Period, Question, Registry
from marketing_platform.analytics.kpis.question import MOST_LINES, Order
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS

Kind = Literal["value", "breakdown", "trend", "ranking", "share", "comparison", "why"]
PeriodKind = Literal["day", "week", "month", "quarter", "half", "year", "days", "range", "all"]
Name = Annotated[str, Field(max_length=60)]
Text = Annotated[str, Field(max_length=500)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Values(_Part):
    """Which values of a dimension count."""

    only: tuple[Text, ...] = Field(default=(), max_length=100, description="Nothing but these.")
    never: tuple[Text, ...] = Field(default=(), max_length=100, description="Everything but these.")


class Days(_Part):
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"the period from {self.first} to {self.last} ends before it begins")
        return self

    @property
    def days(self) -> Period:
        """The same for the engine; KpiError when it is longer than anything."""
        return Period(self.first, self.last)


class AskedPeriod(Days):
    """When, and how it was said: what lies before depends on that."""

    kind: PeriodKind


class Comparison(Days):
    """What to compare with: the period before, the same days a year before, or days of their own."""

    kind: Literal["previous", "year_before", "explicit"]


class Ranking(_Part):
    """In which order lines come, and how many."""

    metric: Name
    order: Order = Field(default="best", description="best and worst as the KPI's direction says.")
    limit: int | None = Field(default=None, ge=1, le=MOST_LINES)


class Intent(_Part):
    """What is asked for."""

    metrics: tuple[Name, ...] = Field(min_length=1, max_length=20, description="KPIs by name.")
    by: tuple[Name, ...] = Field(default=(), max_length=6, description="Dimensions that make a line each.")
    filters: Mapping[Name, Values] = Field(default_factory=dict, description="By dimension.")
    highlight: Mapping[Name, tuple[Text, ...]] = Field(
        default_factory=dict, description="Lines to name in the sentence: Meta's share of all platforms."
    )
    period: AskedPeriod
    comparison: Comparison | None = None
    ranking: Ranking | None = None
    share: bool = Field(default=False, description="Parts of the whole are asked for.")
    why: bool = Field(default=False, description="What a change is made of is asked for.")
    said: Literal["rise", "fall"] | None = Field(
        default=None, description="What the question takes for granted."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.why and self.comparison is None:
            raise ValueError("why did what change? `why` needs a comparison")
        if self.share and not self.by:
            raise ValueError("a share of what? `share` needs a dimension in `by`")
        if self.ranking is not None and not self.by:
            raise ValueError("a ranking needs a dimension in `by`")
        return self

    @property
    def kind(self) -> Kind:
        """What sort of question it is."""
        if self.why:
            return "why"
        if self.share:
            return "share"
        if self.ranking is not None:
            return "ranking"
        if any(name in TIME_BUCKETS for name in self.by):
            return "trend"
        if self.by:
            return "breakdown"
        return "comparison" if self.comparison is not None else "value"

    def question(self, registry: Registry) -> Question:
        """The question for the engine.

        Raises:
            KpiError: There is no such KPI, or it is not known by such a dimension.
        """
        ranking = self.ranking
        question = Question(
            kpis=self.metrics,
            period=self.period.days,
            against=self.comparison.days if self.comparison else None,
            by=self.by,
            filters={name: Filter(values.only, values.never) for name, values in self.filters.items()},
            order_by=ranking.metric if ranking else None,
            order=ranking.order if ranking else "best",
            limit=(ranking.limit if ranking else None) or MOST_LINES,
        )
        return question.checked(registry)
