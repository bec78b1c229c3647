"""Why a KPI changed: what each value of a dimension contributed, in the KPI's own unit.

For a sum the contribution is the value's own change. For a ratio R = N / D between two periods, a value with
sums n and d contributes (n1 - R0 d1) / D1 - (n0 - R0 d0) / D0: how far it pulls the ratio away from what it
was, now and before. Contributions add up to the change, since those of the earlier period add up to 0. It is
both, that the value's own ratio changed (rate) and that its share did (mix).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from marketing_platform.analytics.kpis.answering import Ask, Line, answer
from marketing_platform.analytics.kpis.question import Question
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS, Kpi, Registry
from marketing_platform.errors import KpiError


@dataclass(frozen=True)
class Contribution:
    """One value of a dimension; `amount` is in the unit of the KPI."""

    dimension: str
    value: str | None
    amount: float
    share: float | None  # of the change; below 0 when it went against it


def contributions(
    registry: Registry, question: Question, dimension: str, ask: Ask
) -> tuple[Contribution, ...]:
    """What the values of a dimension contributed to the change of the first KPI, the largest first.

    Raises:
        KpiError: There is nothing to compare with, the dimension is one of time, or the KPI counts
            customers, who may be in two countries.
    """
    if question.against is None:
        raise KpiError("why did what change? a question about why needs a period to compare with")
    kpi = registry.kpi(question.kpis[0])
    if dimension in TIME_BUCKETS:
        raise KpiError(f"a change is explained by what it is made of, not by {dimension}")
    if any(measure.orders_at_least for measure in registry.needs(kpi)):
        raise KpiError(f"{kpi.name} counts customers, whose parts do not add up to a whole")
    parts = _parts_of(registry, kpi)
    asked = replace(question, kpis=tuple(parts.kpis), by=(dimension,), order_by=None)
    found = answer(parts, asked, ask)
    amounts = _amounts(kpi, found.lines, found.total)
    change = sum(amount for _, amount in amounts)
    made = [
        Contribution(dimension, value, amount, amount / change if change else None)
        for value, amount in amounts
    ]
    return tuple(sorted(made, key=lambda one: -abs(one.amount)))


def _parts_of(registry: Registry, kpi: Kpi) -> Registry:
    """A registry whose KPIs are the plain sums that `kpi` is made of."""
    sums = tuple(
        Kpi(
            kpi=measure.measure,
            name=measure.measure,
            numerator=measure.measure,
            scale=1,
            unit=measure.unit,
            direction="up",
        )
        for measure in registry.needs(kpi)
    )
    return replace(registry, definitions=registry.definitions.model_copy(update={"kpis": sums}))


def _amounts(kpi: Kpi, lines: Sequence[Line], total: Line) -> list[tuple[str | None, float]]:
    def sums(line: Line, name: str) -> tuple[float, float]:
        value = line.values[name]
        return value.value or 0.0, value.before or 0.0

    if kpi.denominator is None:
        return [
            (line.key[0], kpi.scale * (now - before))
            for line in lines
            for now, before in [sums(line, kpi.numerator)]
        ]
    (_, n0), (d1, d0) = sums(total, kpi.numerator), sums(total, kpi.denominator)
    if not d0 or not d1:
        raise KpiError(f"{kpi.name} has no value in one of the periods: {kpi.undefined}")
    ratio = n0 / d0
    found: list[tuple[str | None, float]] = []
    for line in lines:
        (own_n1, own_n0), (own_d1, own_d0) = sums(line, kpi.numerator), sums(line, kpi.denominator)
        pulled = (own_n1 - ratio * own_d1) / d1 - (own_n0 - ratio * own_d0) / d0
        found.append((line.key[0], kpi.scale * pulled))
    return found
