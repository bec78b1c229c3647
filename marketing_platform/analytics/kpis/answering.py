"""Answers: sums from the tables of a release, and the ratios, comparisons and rankings made of them.

Money of several currencies is converted by declared rates or refused; a ratio whose denominator is 0 has no
value and says why. Everything here is the same on every engine. Sentences and pictures are made elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from marketing_platform.analytics.kpis.compiling import (
    COVERAGE,
    CURRENCY,
    DAY,
    DAYS_SQL,
    EARLIER,
    LEVELS_SQL,
    UNVALUED,
    Compiled,
    Levels,
    compile_customers,
    compile_sums,
    levels,
)
from marketing_platform.analytics.kpis.money import Key, Money, Sums
from marketing_platform.analytics.kpis.periods import Bucket, Period, Span, label_of, spans
from marketing_platform.analytics.kpis.question import Question
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS, Fact, Kpi, Measure, Registry

# Runs SQL over named tables of a release with bound parameters.
Ask = Callable[[str, Sequence[str], Mapping[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Value:
    """One figure, and how it changed; what is None is explained by `reason`."""

    value: float | None
    reason: str | None = None
    before: float | None = None
    change: float | None = None  # value - before
    change_percent: float | None = None  # of before
    better: bool | None = None  # by the KPI's direction; None when it has none or nothing changed
    share: float | None = None  # of the total, 0 to 1; of sums only


@dataclass(frozen=True)
class Line:
    """The values of every KPI for one combination of dimensions."""

    key: Key  # in order of `Question.by`; None where the data does not say
    values: Mapping[str, Value]
    partial: bool = False  # a week, month or quarter that is not whole


@dataclass(frozen=True)
class Answer:
    """Everything that is known about an answer, so that it can be checked."""

    question: Question
    lines: tuple[Line, ...]
    total: Line
    currency: str | None  # of all money in it; None when there is none
    last_day: date | None  # of the data asked about
    missing_days: tuple[date, ...]  # of the period, without any line
    missing_before: tuple[date, ...]
    notes: tuple[str, ...]
    queries: tuple[Compiled, ...] = field(repr=False)


@dataclass(frozen=True)
class Coverage:
    """Which days a release has figures for, and which levels of ad lines; it never changes."""

    days: Mapping[str, frozenset[date]]  # by fact
    levels: Sequence[Mapping[str, Any]]  # rows of LEVELS_SQL

    def of(self, facts: Iterable[str]) -> frozenset[date]:
        """Days with lines of any of these facts; customers are known from sales."""
        return frozenset().union(
            *(self.days.get("sales" if fact == "buyers" else fact, frozenset()) for fact in facts)
        )


def coverage_of(ask: Ask) -> Coverage:
    """What the release has figures for; worth keeping by whoever asks one release more than once."""
    found: dict[str, set[date]] = {}
    for row in ask(DAYS_SQL, (COVERAGE,), {}):
        found.setdefault(row["fact"], set()).add(row["day"])
    return Coverage({fact: frozenset(days) for fact, days in found.items()}, ask(LEVELS_SQL, (COVERAGE,), {}))


def answer(registry: Registry, question: Question, ask: Ask, coverage: Coverage | None = None) -> Answer:
    """What the release knows; its coverage is read unless it is given.

    Raises:
        KpiError: The question has no answer: unknown names, dimensions that a KPI does not have, money of
            several currencies without rates.
    """
    return _Answering(registry, question.checked(registry), ask, coverage or coverage_of(ask)).run()


class _Answering:
    def __init__(self, registry: Registry, question: Question, ask: Ask, coverage: Coverage) -> None:
        self._registry, self._question, self._ask, self._coverage = registry, question, ask, coverage
        self._kpis = [registry.kpi(name) for name in question.kpis]
        self._bucket: Bucket | None = next((name for name in question.by if name in TIME_BUCKETS), None)  # pyright: ignore[reportAttributeAccessIssue]
        self._queries: list[Compiled] = []
        self._notes: dict[str, None] = {}
        self._money = Money(registry)
        # A source without lines is not asked for.
        sources = {row["source"] for row in coverage.levels}
        values = registry.workspace.value_per_conversion
        self._valued = {source: value for source, value in values.items() if source in sources}
        self._unvalued = Decimal(0)  # conversions that nobody said the worth of

    def run(self) -> Answer:
        question = self._question
        facts = self._facts()
        known = self._coverage.of(facts)
        last_day = max(known, default=None)
        now, before = self._spans(question.period, last_day), self._spans(question.against, last_day)
        labels = self._labels(now, before)
        sums: dict[tuple[Key, int], Sums] = {}
        for fact, measures in facts.items():
            for asked, earlier in _sides(question):
                compiled = self._compiled(asked, self._registry.facts[fact], measures)
                self._queries.append(compiled)
                for row in self._ask(compiled.sql, compiled.tables, compiled.parameters):
                    self._add(sums, row, measures, labels, earlier or int(row[EARLIER]))
        currency = self._money.settle(sums)
        lines = self._lines(sums, {span.label: span.partial for span in now})
        return Answer(
            question=question,
            lines=tuple(lines),
            total=self._total(sums),
            currency=currency,
            last_day=last_day,
            missing_days=tuple(question.period.missing(known)),
            missing_before=tuple(question.against.missing(known)) if question.against else (),
            notes=(*self._notes, *self._unvalued_notes(), *self._money.notes),
            queries=tuple(self._queries),
        )

    def _unvalued_notes(self) -> Iterable[str]:
        if self._unvalued > 0:
            yield (
                f"{self._unvalued.normalize():f} conversions have no revenue; value_per_conversion in"
                " kpis/workspace.yaml can say what one is worth"
            )

    def _facts(self) -> dict[str, list[Measure]]:
        """The measures that are needed, each once, by fact."""
        found: dict[str, dict[str, Measure]] = {}
        for kpi in self._kpis:
            for measure in self._registry.needs(kpi):
                found.setdefault(measure.fact, {})[measure.measure] = measure
        return {fact: list(measures.values()) for fact, measures in found.items()}

    def _total(self, sums: Mapping[tuple[Key, int], Sums]) -> Line:
        counted = any(m.orders_at_least for kpi in self._kpis for m in self._registry.needs(kpi))
        if counted and self._question.by:
            # A customer of two countries is one customer: lines do not add up.
            whole = replace(self._question, by=(), order_by=None)
            return _Answering(self._registry, whole, self._ask, self._coverage).run().total
        return Line(
            (), self._values(_added(sums, 0), _added(sums, 1) if self._question.against else None, {})
        )

    def _compiled(self, question: Question, fact: Fact, measures: Sequence[Measure]) -> Compiled:
        if measures[0].orders_at_least is not None:
            return compile_customers(question, fact, measures)
        return compile_sums(question, fact, measures, self._valued, self._levels(fact))

    def _levels(self, fact: Fact) -> Levels | None:
        if fact.fact != "ads":
            return None
        chosen = levels(self._coverage.levels, self._question)
        for platform, account in chosen.left_out:
            said = " and ".join(chosen.needed)
            self._notes[f"{_account(platform, account)}: left out, its exports do not say {said}"] = None
        for platform, account, level in chosen.shorter:
            self._notes[
                f"{_account(platform, account)}: only lines of level {level} are counted; there are days that"
                " only other levels have"
            ] = None
        return chosen

    def _spans(self, period: Period | None, last_day: date | None) -> list[Span]:
        if period is None or self._bucket is None:
            return []
        return spans(period, self._bucket, last_day=last_day or period.last)

    def _labels(self, now: Sequence[Span], before: Sequence[Span]) -> dict[str, str]:
        """What the buckets of the days compared with are laid over; those without counterpart stay."""
        return {
            span.label: now[place].label if place < len(now) else span.label
            for place, span in enumerate(before)
        }

    def _add(
        self,
        sums: dict[tuple[Key, int], Sums],
        row: Mapping[str, Any],
        measures: Sequence[Measure],
        labels: Mapping[str, str],
        earlier: int,
    ) -> None:
        """Add a row of a query to the sums of its key; earlier days go to the same place in their period."""
        key = tuple(row[name] if name not in TIME_BUCKETS else None for name in self._question.by)
        if self._bucket is not None:
            label = label_of(row[DAY], self._bucket)
            label = labels[label] if earlier else label
            key = tuple(
                label if name in TIME_BUCKETS else key[at] for at, name in enumerate(self._question.by)
            )
        place = sums.setdefault((key, earlier), {})
        for measure in measures:
            amount = self._amount(row, measure)
            if amount is None:
                continue
            if measure.unit == "money":
                self._money.keep((key, earlier), measure.measure, row[CURRENCY], amount)
            else:
                place[measure.measure] = place.get(measure.measure, Decimal(0)) + amount

    def _amount(self, row: Mapping[str, Any], measure: Measure) -> Decimal | None:
        amount = _decimal(row[measure.measure])
        if measure.measure != "revenue":
            return amount
        unvalued = _decimal(row[UNVALUED]) or Decimal(0)
        for number, value in enumerate(self._valued.values()):
            valued = _decimal(row[f"valued_{number}"])
            if valued is not None:
                unvalued -= valued
                amount = (amount or Decimal(0)) + valued * value
        self._unvalued += unvalued
        return amount

    def _lines(self, sums: Mapping[tuple[Key, int], Sums], partial: Mapping[str, bool]) -> list[Line]:
        question = self._question
        if not question.by:
            return []
        totals = self._wholes(_added(sums, 0))
        lines: list[Line] = []
        for key in dict.fromkeys(key for key, _ in sums):
            earlier = sums.get((key, 1), {}) if question.against else None
            values = self._values(sums.get((key, 0), {}), earlier, totals)
            lines.append(Line(key, values, any(partial.get(part or "", False) for part in key)))
        lines.sort(key=lambda line: tuple((part is None, part or "") for part in line.key))
        if question.order_by is not None:
            lines = self._ranked(lines, question.order_by)
        return lines[: question.limit]

    def _ranked(self, lines: Iterable[Line], name: str) -> list[Line]:
        order = self._question.order
        falling = order == "highest" or (
            order in ("best", "worst") and self._registry.kpi(name).direction != "down"
        )
        if order == "worst":
            falling = not falling
        sign = -1 if falling else 1

        def place(line: Line) -> tuple[bool, float]:
            value = line.values[name].value
            return value is None, sign * (value or 0.0)

        return sorted(lines, key=place)

    def _wholes(self, total: Sums) -> dict[str, float | None]:
        """What shares are shares of: the totals of the KPIs that are plain sums."""
        return {kpi.kpi: _worked_out(kpi, total)[0] for kpi in self._kpis if kpi.denominator is None}

    def _values(
        self, now: Sums, earlier: Sums | None, wholes: Mapping[str, float | None]
    ) -> dict[str, Value]:
        return {kpi.kpi: _value(kpi, now, earlier, wholes.get(kpi.kpi)) for kpi in self._kpis}


def _account(platform: str | None, account: str | None) -> str:
    who = platform or "a platform"
    return f"{who}, account {account}" if account else who


def _sides(question: Question) -> list[tuple[Question, int]]:
    """What to ask: once, or for days that overlap with those compared with, once for either."""
    against, period = question.against, question.period
    if against is None or against.last < period.first or period.last < against.first:
        return [(question, 0)]
    return [(replace(question, against=None), 0), (replace(question, period=against, against=None), 1)]


def _value(kpi: Kpi, now: Sums, earlier: Sums | None, whole: float | None) -> Value:
    value, reason = _worked_out(kpi, now)
    share = value / whole if whole and value is not None else None
    if earlier is None:
        return Value(value, reason, share=share)
    before, _ = _worked_out(kpi, earlier)
    if value is None or before is None:
        return Value(value, reason or "there is nothing to compare with", before=before, share=share)
    change = value - before
    better = None if kpi.direction == "neutral" or change == 0 else (change > 0) == (kpi.direction == "up")
    return Value(value, reason, before, change, 100 * change / before if before else None, better, share)


def _worked_out(kpi: Kpi, sums: Sums) -> tuple[float | None, str | None]:
    numerator = sums.get(kpi.numerator)
    if kpi.denominator is None:
        return (None, "there is no data") if numerator is None else (float(numerator) * kpi.scale, None)
    denominator = sums.get(kpi.denominator)
    if numerator is None and denominator is None:
        return None, "there is no data"
    if not denominator:
        return None, kpi.undefined
    if numerator is None:
        return None, f"the data does not say {kpi.numerator}"
    return float(numerator / denominator) * kpi.scale, None


def _added(sums: Mapping[tuple[Key, int], Sums], earlier: int) -> Sums:
    found: Sums = {}
    for (_, side), amounts in sums.items():
        if side == earlier:
            for name, amount in amounts.items():
                found[name] = found.get(name, Decimal(0)) + amount
    return found


def _decimal(value: Any) -> Decimal | None:
    if value is None:
        return None
    return value if isinstance(value, Decimal) else Decimal(str(value))
