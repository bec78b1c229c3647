"""Whether an intent can be answered, whoever made it: names, values and days that are there."""

from __future__ import annotations

from datetime import date

from marketing_platform.analytics.kpis import Registry
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.facts import Facts
from marketing_platform.analytics.questions.intent import Intent
from marketing_platform.analytics.questions.periods import Clock, compared, within_data
from marketing_platform.analytics.questions.refusal import NotUnderstood
from marketing_platform.errors import KpiError

_SHOWN = 8  # names in a message


def clock_of(metrics: tuple[str, ...], registry: Registry, facts: Facts, today: date | None) -> Clock:
    """Today and the days of data of what these KPIs are made of."""
    return facts.clock({one.fact for name in metrics for one in registry.needs(registry.kpi(name))}, today)


def checked(intent: Intent, registry: Registry, facts: Facts, today: date | None = None) -> Intent:
    """The intent itself, its days cut where data ends.

    Raises:
        NotUnderstood: It cannot be answered: something is not there, or parts are asked of what has none.
    """
    try:
        intent.question(registry)
        clock = clock_of(intent.metrics, registry, facts, today)
    except KpiError as error:
        raise NotUnderstood(str(error)) from None
    _check_values(intent, facts)
    _check_parts(intent, registry)
    period = within_data(intent.period.kind, intent.period.days, clock)
    against = intent.comparison
    if against is not None:
        if against.days == period.days:
            raise NotUnderstood(f"{period.first} to {period.last} would be compared with itself")
        against = compared(against.kind, against.days, clock)
    return intent.model_copy(update={"period": period, "comparison": against})


def _check_values(intent: Intent, facts: Facts) -> None:
    for dimension, values in intent.filters.items():
        twice = set(values.only) & set(values.never)
        if twice:
            raise NotUnderstood(f"{', '.join(sorted(twice))} is asked for and left out at once")
        _known(dimension, values.only, facts)
        present = facts.values.get(dimension, ())
        if present and set(values.never) >= set(present):
            raise NotUnderstood(f"every {dimension} is left out, so nothing remains")
    for dimension, values in intent.highlight.items():
        if dimension not in intent.by:
            raise NotUnderstood(
                f"{', '.join(values)} cannot be singled out: the answer is not by {dimension}"
            )
        _known(dimension, values, facts)


def _known(dimension: str, values: tuple[str, ...], facts: Facts) -> None:
    present = facts.values.get(dimension, ())
    lacking = [value for value in values if value not in present]
    if lacking:
        few = ", ".join(present[:_SHOWN]) + (", …" if len(present) > _SHOWN else "")
        raise NotUnderstood(
            f"there is no data for {dimension} {', '.join(lacking)}", (f"{dimension}: {few}",) if few else ()
        )


def _check_parts(intent: Intent, registry: Registry) -> None:
    kpis = [registry.kpi(name) for name in intent.metrics]
    if intent.share:
        if len(kpis) > 1:
            raise NotUnderstood(
                "shares are of one KPI at a time", tuple(f"share of {kpi.name}" for kpi in kpis)
            )
        for kpi in kpis:
            counted = any(one.orders_at_least for one in registry.needs(kpi))
            if kpi.denominator is not None or counted:
                raise NotUnderstood(
                    f"{kpi.name} is a ratio and has no shares; sums have",
                    tuple(
                        f"share of {one.name}" for one in registry.kpis.values() if one.denominator is None
                    )[:3],
                )
    if intent.why:
        if len(kpis) > 1:
            raise NotUnderstood(
                "why can be asked of one KPI at a time", tuple(f"why did {k.name} change" for k in kpis)
            )
        if any(name in TIME_BUCKETS for name in intent.by):
            raise NotUnderstood("a change is explained by what it is made of, not by days")
    if intent.ranking is not None and intent.ranking.metric not in intent.metrics:
        raise NotUnderstood(f"ordered by {intent.ranking.metric}, which is not asked for")
