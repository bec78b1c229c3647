"""A question as text to an intent: by rules alone, and rather refused than guessed.

Everything that carries meaning must have found its place; how is in `lexing.py` (which word means what) and
`reading.py` (which part it plays). Here days become dates, the question before fills in what a short one
leaves out, and the intent is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from marketing_platform.analytics.kpis import Period, Registry
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.asked_days import Days
from marketing_platform.analytics.questions.checking import checked, clock_of
from marketing_platform.analytics.questions.facts import Facts
from marketing_platform.analytics.questions.intent import Comparison, Intent, Ranking, Values
from marketing_platform.analytics.questions.lexing import lex
from marketing_platform.analytics.questions.names import Names
from marketing_platform.analytics.questions.periods import (
    before,
)
from marketing_platform.analytics.questions.pieces import Mention, Pieces
from marketing_platform.analytics.questions.reading import pieces_of
from marketing_platform.analytics.questions.refusal import Declined, NotUnderstood
from marketing_platform.analytics.questions.text import LONGEST, tokens

_DAYS_BY_DAY, _DAYS_BY_WEEK = 31, 184  # a trend over so many days shows days, weeks, else months


@dataclass(frozen=True)
class Parsed:
    """An intent, and what was decided on the way that the question did not say."""

    intent: Intent
    notes: tuple[str, ...] = ()


class Reader:
    """Understands questions over one registry and one release; threads may share it."""

    def __init__(self, registry: Registry, facts: Facts) -> None:
        self.registry, self.facts = registry, facts
        self._names = Names(registry, facts)

    def parse(
        self, text: str, *, today: date | None = None, context: Intent | None = None
    ) -> Parsed | Declined:
        """What a question asks for.

        Args:
            text: As somebody typed it.
            today: What `yesterday` is a day before; the last day of data unless given.
            context: The intent of the question before, for “and on mobile?”.
        """
        try:
            return self._parse(text, today, context)
        except NotUnderstood as refusal:
            found = refusal.declined
            return found if found.suggestions else replace(found, suggestions=self.examples())

    def examples(self) -> tuple[str, ...]:
        """Questions that this release can answer."""
        known = [kpi for kpi in self.registry.kpis.values() if self._has_data(kpi.kpi)]
        if not known:
            return ()
        ratio = next((kpi for kpi in known if kpi.denominator), known[0])
        dimensions = [
            name
            for name in self.registry.dimensions_of(ratio)
            if name not in TIME_BUCKETS and len(self.facts.values.get(name, ())) > 1
        ]
        found = [f"{known[0].name} last month", f"{ratio.name} by week"]
        return (*found, *(f"{ratio.name} by {dimension} last 30 days" for dimension in dimensions[:2]))

    def values_named(self, dimension: str, key: str) -> list[str]:
        """The values that a phrase (`phrase_key`) names, as the data writes them."""
        meanings = self._names.meanings(key)
        return [
            value for one in meanings if (one.sort, one.name) == ("value", dimension) for value in one.values
        ]

    def _has_data(self, name: str) -> bool:
        return all(one.fact in self.facts.days for one in self.registry.needs(self.registry.kpi(name)))

    def _parse(self, text: str, today: date | None, context: Intent | None) -> Parsed:
        if len(text) > LONGEST:
            raise NotUnderstood(f"a question of {len(text):,} characters; {LONGEST:,} are read at most")
        found = tokens(text)
        if not found:
            raise NotUnderstood("there is no question in it")
        lexed = lex(found, self._names)
        pieces = pieces_of(lexed.items, self.registry)
        notes = [f"read “{written}” as “{meant}”" for written, meant in lexed.corrections.items()]
        making = _Making(self.registry, self.facts, pieces, today, self._context(pieces, context), notes)
        intent = checked(making.intent(), self.registry, self.facts, today)
        return Parsed(intent, tuple(notes))

    @staticmethod
    def _context(pieces: Pieces, context: Intent | None) -> Intent | None:
        """The question before, when this one is about it."""
        asks = bool(pieces.metrics or pieces.overview)
        return context if pieces.follows or not asks else None


class _Making:
    def __init__(
        self,
        registry: Registry,
        facts: Facts,
        pieces: Pieces,
        today: date | None,
        context: Intent | None,
        notes: list[str],
    ) -> None:
        self._registry, self._facts, self._pieces = registry, facts, pieces
        self._context, self._notes = context, notes
        self._metrics = self._asked_metrics()
        self._check_offered()
        self._clock = clock_of(self._metrics, registry, facts, today)

    def intent(self) -> Intent:
        pieces, context = self._pieces, self._context
        by = self._by()
        filters, highlight = self._filters(by)
        days = self._registry.workspace.default_days
        period, against = Days(pieces, context, self._clock, days, self._notes).asked()
        if pieces.trend and not any(name in TIME_BUCKETS for name in by):
            by = (*by, _bucket(period.days))
        ranking = self._ranking(by)
        why = pieces.why or bool(context and context.why and not pieces.metrics)
        share = pieces.share or bool(context and context.share and not pieces.metrics and by)
        if share and not by:
            raise NotUnderstood("the share of what? say by which dimension", self._shares())
        if why and against is None:
            against = before(period, self._clock)
        self._check_compare(by, against)
        return Intent(
            metrics=self._metrics,
            by=by,
            filters=filters,
            highlight=highlight,
            period=period,
            comparison=against,
            ranking=None if why else ranking,
            share=share and not why,
            why=why,
            said=pieces.said if (why or against) else None,
        )

    def _asked_metrics(self) -> tuple[str, ...]:
        found = list(self._pieces.metrics)
        if not found and self._pieces.overview:
            found = list(self._registry.workspace.overview)
        if not found and self._context is not None:
            return self._context.metrics
        if not found:
            kpis = [kpi.name for kpi in self._registry.kpis.values()]
            raise NotUnderstood("which KPI is asked for?", (f"there are {', '.join(kpis)}",))
        return tuple(found)

    def _check_offered(self) -> None:
        for kpi in (self._registry.kpi(name) for name in self._metrics):
            offered = self._registry.dimensions_of(kpi)
            for dimension in (*self._pieces.by, *(one.dimension for one in self._pieces.mentions)):
                if dimension not in offered:
                    raise NotUnderstood(
                        f"{kpi.name} is not known by {dimension}", (f"{kpi.name} by {' or '.join(offered)}",)
                    )

    def _by(self) -> tuple[str, ...]:
        found = list(self._pieces.by)
        if not found and self._context is not None:
            found = list(self._context.by)
        mentions = self._pieces.mentions
        for dimension in dict.fromkeys(one.dimension for one in mentions if not one.never):
            own = [one for one in mentions if one.dimension == dimension and not one.never]
            apart = self._pieces.compare or self._pieces.repeats
            side_by_side = any(one.opposed for one in own) or (apart and len(own) > 1)
            if side_by_side and dimension not in found:
                found.append(dimension)
        if self._pieces.share and not found:
            named = dict.fromkeys(one.dimension for one in mentions if not one.never)
            if len(named) > 1:
                raise NotUnderstood("the share of what in what? say by which dimension", self._shares())
            found = list(named)
        return tuple(found)

    def _shares(self) -> tuple[str, ...]:
        dimensions = self._registry.dimensions_of(self._registry.kpi(self._metrics[0]))
        kpi = self._registry.kpi(self._metrics[0]).name
        return tuple(f"share of {kpi} by {name}" for name in dimensions if name not in TIME_BUCKETS)

    def _filters(self, by: Sequence[str]) -> tuple[dict[str, Values], dict[str, tuple[str, ...]]]:
        """Values that count, and those that a share is asked of: these lines are shown among all others."""
        context = self._context
        highlight = dict(context.highlight) if context and set(context.highlight) <= set(by) else {}
        filters = dict(context.filters) if context else {}
        for dimension in dict.fromkeys(one.dimension for one in self._pieces.mentions):
            own = [one for one in self._pieces.mentions if one.dimension == dimension]
            only = self._values([one for one in own if not one.never])
            never = self._values([one for one in own if one.never])
            if self._pieces.share and dimension in by and only and not never:
                highlight[dimension] = only
            else:
                filters[dimension] = Values(only=only, never=never)
        return filters, highlight

    def _values(self, mentions: Sequence[Mention]) -> tuple[str, ...]:
        for one in mentions:
            if one.absent and one.never:
                self._notes.append(f"{one.text} is not in the data, so leaving it out changes nothing")
        return tuple(dict.fromkeys(value for one in mentions for value in one.values))

    def _ranking(self, by: Sequence[str]) -> Ranking | None:
        pieces, context = self._pieces, self._context
        if pieces.order is None:
            kept = context.ranking if context else None
            if kept is None or not by:
                return None
            return (
                kept if kept.metric in self._metrics else kept.model_copy(update={"metric": self._metrics[0]})
            )
        places = [name for name in by if name not in TIME_BUCKETS]
        if not places:
            offered = self._registry.dimensions_of(self._registry.kpi(self._metrics[0]))
            raise NotUnderstood(
                "the best or the most of what? say by which dimension",
                tuple(
                    f"top 5 {name} by {self._registry.kpi(self._metrics[0]).name}" for name in offered[1:4]
                ),
            )
        metric = pieces.order_by or (self._metrics[0] if len(self._metrics) == 1 else None)
        if metric is None:
            names = [self._registry.kpi(name).name for name in self._metrics]
            raise NotUnderstood(f"ordered by which of {', '.join(names)}?")
        limit = pieces.limit if pieces.limit and pieces.limit > 0 else None
        return Ranking(metric=metric, order=pieces.order, limit=limit)

    def _check_compare(self, by: Sequence[str], against: Comparison | None) -> None:
        if self._pieces.compare and not by and against is None:
            raise NotUnderstood("compare what with what? two periods, two values, or a dimension")


def _bucket(period: Period) -> str:
    if period.days <= _DAYS_BY_DAY:
        return "day"
    return "week" if period.days <= _DAYS_BY_WEEK else "month"
