"""What `kpis/registry.yaml` and `kpis/workspace.yaml` may say: immutable models that refuse unknown keys.

Only shapes and look-ups belong here. Names that do not fit together are found in `loading.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from marketing_platform.declarations import Declared
from marketing_platform.errors import KpiError

Unit = Literal["money", "count", "ratio", "percent"]
Direction = Literal["up", "down", "neutral"]  # where it is good to go
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", max_length=60)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]

TIME_BUCKETS = ("day", "week", "month", "quarter")


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("a time zone such as Europe/Berlin")
    return value


class Fact(Declared):
    """Lines that measures add up, and what they can be broken down by beside time."""

    fact: Name
    table: Name
    says: str = Field(min_length=1)
    dimensions: tuple[Name, ...]


class Measure(Declared):
    """What adds up: over days, and over whatever its fact can be broken down by."""

    measure: Name
    fact: Name
    unit: Literal["money", "count"]
    says: str = Field(min_length=1)
    # Customers with so many orders in the period; these do not add up over days, so they are counted anew.
    orders_at_least: int | None = Field(None, ge=1)


class Kpi(Declared):
    """A sum, or a ratio of two sums times `scale`."""

    kpi: Name
    name: str = Field(min_length=1, max_length=40)
    says: str | None = None
    numerator: Name
    denominator: Name | None = None
    scale: float = Field(1, gt=0, allow_inf_nan=False)
    unit: Unit
    direction: Direction
    undefined: str | None = None  # what to say when the denominator is 0
    also: tuple[str, ...] = ()  # what people call it, beside `kpi` and `name`

    @property
    def formula(self) -> str:
        """What it is made of, for people."""
        scaled = f"{self.scale:g} x " if self.scale != 1 else ""
        return f"{scaled}{self.numerator}" + (f" / {self.denominator}" if self.denominator else "")


class Definitions(Declared):
    """`kpis/registry.yaml`."""

    facts: tuple[Fact, ...] = Field(min_length=1)
    measures: tuple[Measure, ...] = Field(min_length=1)
    kpis: tuple[Kpi, ...] = Field(min_length=1)


class Workspace(Declared):
    """`kpis/workspace.yaml`."""

    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    currency: Currency = "USD"
    rates: Mapping[Currency, Annotated[Decimal, Field(gt=0)]] = Field(default_factory=dict)
    value_per_conversion: Mapping[str, Annotated[Decimal, Field(ge=0)]] = Field(default_factory=dict)
    overview: tuple[Name, ...] = ()  # the KPIs that `performance` stands for in a question
    # Of a question that names none.
    default_days: int = Field(30, ge=1, le=3660)
    # What people call values, by dimension.
    also: Mapping[Name, Mapping[str, tuple[str, ...]]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Registry:
    """Everything that is declared about KPIs."""

    definitions: Definitions
    workspace: Workspace

    @cached_property
    def kpis(self) -> Mapping[str, Kpi]:
        return {one.kpi: one for one in self.definitions.kpis}

    @cached_property
    def measures(self) -> Mapping[str, Measure]:
        return {one.measure: one for one in self.definitions.measures}

    @cached_property
    def facts(self) -> Mapping[str, Fact]:
        return {one.fact: one for one in self.definitions.facts}

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Everything that some fact can be broken down by, time included."""
        named = dict.fromkeys(name for fact in self.definitions.facts for name in fact.dimensions)
        return (*named, *TIME_BUCKETS)

    def kpi(self, name: str) -> Kpi:
        """The KPI `name`; KpiError when there is none."""
        if name not in self.kpis:
            raise KpiError(f"{name!r}: no such KPI; there are {', '.join(self.kpis)}")
        return self.kpis[name]

    def needs(self, kpi: Kpi) -> tuple[Measure, ...]:
        """What a KPI is made of: its numerator, and its denominator if it has one."""
        names = [kpi.numerator, *([kpi.denominator] if kpi.denominator else [])]
        return tuple(self.measures[name] for name in names)

    def dimensions_of(self, kpi: Kpi) -> tuple[str, ...]:
        """What a KPI can be broken down by: what all its measures can be."""
        offered = [self.facts[measure.fact].dimensions for measure in self.needs(kpi)]
        shared = tuple(name for name in offered[0] if all(name in others for others in offered))
        # A customer of two days is one customer, so customers are counted per period only.
        buckets = () if any(measure.orders_at_least for measure in self.needs(kpi)) else TIME_BUCKETS
        return (*shared, *buckets)
