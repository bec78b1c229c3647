"""What a program or a command line wants to know, in its few words, completed to a `Question`.

What is left out comes from the data: the last 30 days of it, compared with as many before. Sentences of
people belong to `analytics/questions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from marketing_platform.analytics.kpis.answering import Coverage
from marketing_platform.analytics.kpis.periods import Period, last_days
from marketing_platform.analytics.kpis.question import MOST_LINES, Filter, Order, Question
from marketing_platform.analytics.kpis.spec import Registry
from marketing_platform.errors import KpiError

DEFAULT_DAYS = 30
PREVIOUS, YEAR_BEFORE, NOTHING = "previous", "year-before", "none"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# Patterns for those who check what is sent before they ask.
AGAINST = rf"^({PREVIOUS}|{YEAR_BEFORE}|{NOTHING}|{_DAY}\.\.{_DAY})$"
FILTER = "^[a-z_]+!?=.+$"
_ANY = Period(date(2000, 1, 1), date(2000, 1, 1))  # names are judged before days are looked for
_FILTER = re.compile("([a-z_]+)(!?=)(.+)", re.DOTALL)


@dataclass(frozen=True)
class Wanted:
    """What is wanted; only what matters need be said."""

    kpis: tuple[str, ...] = ()  # all that have the dimensions
    by: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    against: str = PREVIOUS  # or year-before, none, FROM..TO
    filters: tuple[str, ...] = ()  # country=DE or country!=DE; values of one dimension add up
    order_by: str | None = None
    order: Order = "best"
    limit: int = MOST_LINES


def question_of(registry: Registry, wanted: Wanted, coverage: Coverage) -> Question:
    """The complete question; KpiError says what cannot be meant."""
    filters = _filters(wanted.filters)
    names = wanted.kpis or _with_dimensions(registry, [*wanted.by, *filters])
    question = Question(
        kpis=names,
        period=_ANY,
        by=wanted.by,
        filters=filters,
        order_by=wanted.order_by,
        order=wanted.order,
        limit=wanted.limit,
    ).checked(registry)
    period = _period(registry, names, wanted, coverage)
    return replace(question, period=period, against=_against(wanted.against, period))


def _with_dimensions(registry: Registry, dimensions: Iterable[str]) -> tuple[str, ...]:
    asked = set(dimensions)
    found = tuple(name for name, kpi in registry.kpis.items() if asked <= set(registry.dimensions_of(kpi)))
    if not found:
        raise KpiError(f"no KPI can be broken down by {' and '.join(sorted(asked))}")
    return found


def _period(registry: Registry, names: Iterable[str], wanted: Wanted, coverage: Coverage) -> Period:
    if wanted.first is not None and wanted.last is not None:
        return Period(wanted.first, wanted.last)
    if wanted.last is not None:
        return last_days(wanted.last, DEFAULT_DAYS)
    facts = {measure.fact for name in names for measure in registry.needs(registry.kpi(name))}
    last = max(coverage.of(facts), default=None)
    if wanted.first is not None:
        return Period(wanted.first, max(wanted.first, last or wanted.first))
    if last is None:
        raise KpiError("there is no data yet whose last days could be shown; say from and to")
    return last_days(last, DEFAULT_DAYS)


def _against(word: str, period: Period) -> Period | None:
    if word == NOTHING:
        return None
    if word == PREVIOUS:
        return period.before()
    if word == YEAR_BEFORE:
        return period.year_before()
    first, _, last = word.partition("..")
    try:
        return Period(date.fromisoformat(first), date.fromisoformat(last))
    except ValueError:
        raise KpiError(
            f"what to compare with: expected {PREVIOUS}, {YEAR_BEFORE}, {NOTHING}, or days such as"
            " 2025-05-01..2025-05-31"
        ) from None


def _filters(written: Iterable[str]) -> dict[str, Filter]:
    found: dict[str, Filter] = {}
    for one in written:
        parts = _FILTER.fullmatch(one)
        if parts is None:
            raise KpiError("a filter: expected dimension=value or dimension!=value")
        dimension, sign, value = parts.groups()
        before = found.get(dimension, Filter())
        only, never = (value,) * (sign == "="), (value,) * (sign == "!=")
        found[dimension] = Filter((*before.only, *only), (*before.never, *never))
    return found
