"""A question about KPIs, completely decided: what, by what, of what, when, against what, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from marketing_platform.analytics.kpis.periods import Period
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS, Registry
from marketing_platform.errors import KpiError

Order = Literal["best", "worst", "highest", "lowest"]
MOST_LINES = 10_000


@dataclass(frozen=True)
class Filter:
    """Which values of a dimension count; both empty asks for nothing."""

    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What `answering.answer` answers."""

    kpis: tuple[str, ...]
    period: Period
    against: Period | None = None  # the same question for other days, to compare with
    by: tuple[str, ...] = ()  # dimensions, at most one of them a bucket of time
    filters: Mapping[str, Filter] = field(default_factory=dict)
    order_by: str | None = None  # one of `kpis`; lines come in order of their dimensions without it
    order: Order = "best"  # best: as the KPI's direction says, highest when it has none
    limit: int = MOST_LINES

    def checked(self, registry: Registry) -> Question:
        """The question itself; KpiError says what cannot be asked so, and what could be."""
        if not self.kpis:
            raise KpiError(f"which KPI? there are {', '.join(registry.kpis)}")
        if not 1 <= self.limit <= MOST_LINES:
            raise KpiError(f"a limit of {self.limit}: between 1 and {MOST_LINES} lines can be asked for")
        for name in self.kpis:
            kpi = registry.kpi(name)
            offered = registry.dimensions_of(kpi)
            for dimension in (*self.by, *self.filters):
                if dimension not in offered:
                    raise KpiError(
                        f"{kpi.name} cannot be broken down by {dimension}; it can by {', '.join(offered)}"
                    )
        if sum(dimension in TIME_BUCKETS for dimension in self.by) > 1 or len(set(self.by)) < len(self.by):
            raise KpiError(f"by {', '.join(self.by)}: each once, and only one of {', '.join(TIME_BUCKETS)}")
        if any(dimension in TIME_BUCKETS for dimension in self.filters):
            raise KpiError("days are chosen by the period, not by a filter")
        if self.order_by is not None and self.order_by not in self.kpis:
            raise KpiError(f"ordered by {self.order_by}, which is not asked for")
        return self
