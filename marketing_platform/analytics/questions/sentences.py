"""Answers in words: figures with their unit, what they were compared with, and whether that is good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from marketing_platform.analytics.kpis import Answer, Contribution, Kpi, Line, Registry, Value
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.intent import Comparison, Intent
from marketing_platform.analytics.questions.periods import named

_ALIKE = 0.1  # months and quarters differ by less
_NAMED_DAYS, _NAMED_LINES, _NAMED_CAUSES = 5, 5, 3


def interpretation(intent: Intent, registry: Registry) -> str:
    """How a question was understood."""
    kpis = _listed([registry.kpi(name).name for name in intent.metrics])
    what = f"why {kpis} changed" if intent.why else f"share of {kpis}" if intent.share else kpis
    parts = [f"{what} by {_listed(intent.by)}" if intent.by else what]
    for dimension, values in intent.filters.items():
        if values.only:
            parts.append(f"only {dimension} {' or '.join(values.only)}")
        if values.never:
            parts.append(f"without {dimension} {', '.join(values.never)}")
    if intent.ranking is not None:
        many = f"the {intent.ranking.limit} " if intent.ranking.limit else ""
        parts.append(f"{many}{intent.ranking.order} first by {registry.kpi(intent.ranking.metric).name}")
    parts.append(_days(intent.period.first, intent.period.last))
    if intent.comparison is not None:
        parts.append(f"compared with {_days(intent.comparison.first, intent.comparison.last)}")
    return ", ".join(parts)


def figure(kpi: Kpi, value: float | None, currency: str | None, *, signed: bool = False) -> str:
    """A value with its unit: 285,036.15 USD, 9,562, 4.20 %, 3.35."""
    if value is None:
        return "no figure"
    sign = "+" if signed else ""
    if kpi.unit == "money":
        return f"{value:{sign},.2f} {currency or ''}".rstrip()
    if kpi.unit == "percent":
        return f"{value:{sign}.2f} {'points' if signed else '%'}"
    if kpi.unit == "count":
        return f"{value:{sign},.0f}" if abs(value - round(value)) < 0.005 else f"{value:{sign},.2f}"  # noqa: PLR2004
    return f"{value:{sign},.2f}"


def sentence(intent: Intent, found: Answer, causes: Sequence[Contribution], registry: Registry) -> str:
    """The answer in a sentence, and in another one what it lacks."""
    if intent.why:
        said = _why(intent, found, causes, registry)
    elif not intent.by:
        said = _total(intent, found, registry)
    elif not found.lines:
        said = f"There is no data for that between {intent.period.first} and {intent.period.last}."
    elif intent.share:
        said = _share(intent, found, registry)
    elif intent.kind == "trend":
        said = _trend(intent, found, registry)
    else:
        said = _lines(intent, found, registry)
    return " ".join([said, *_uneven(intent), *lacking(found)])


def _uneven(intent: Intent) -> list[str]:
    """Sums of a week and of a day are hardly comparable."""
    if intent.comparison is None:
        return []
    now, before = intent.period.days.days, intent.comparison.days.days
    return [f"Compared are {now} and {before} days."] if abs(now - before) > _ALIKE * max(now, before) else []


def lacking(found: Answer) -> list[str]:
    """Days without data and periods that are not whole, as sentences."""
    said: list[str] = []
    for days, which in (
        (found.missing_days, "the period"),
        (found.missing_before, "what it is compared with"),
    ):
        if days:
            lack = "1 day of" if len(days) == 1 else f"{len(days)} days of"
            said.append(f"{lack} {which} without data: {_some_days(days)}.")
    if any(line.partial for line in found.lines):
        at = next(place for place, name in enumerate(found.question.by) if name in TIME_BUCKETS)
        labels = dict.fromkeys(line.key[at] or "" for line in found.lines if line.partial)
        said.append(f"Not whole: {', '.join(labels)}.")
    return said


def _total(intent: Intent, found: Answer, registry: Registry) -> str:
    when = _days(intent.period.first, intent.period.last)
    parts = [
        _with_change(registry.kpi(name), found.total.values[name], found.currency, intent.comparison)
        for name in intent.metrics
    ]
    return f"{_capital(when)}: {'; '.join(parts)}."


def _with_change(kpi: Kpi, value: Value, currency: str | None, against: Comparison | None) -> str:
    said = f"{kpi.name} {figure(kpi, value.value, currency)}"
    if value.value is None:
        return f"{said} ({value.reason})"
    if against is None:
        return said
    if value.change is None:
        return f"{said} (nothing to compare with in {_days(against.first, against.last)})"
    before = f"{figure(kpi, value.before, currency)} in {_days(against.first, against.last)}"
    if value.change == 0:
        return f"{said}, the same as {before}"
    percent = f"{abs(value.change_percent):.2f} % " if value.change_percent is not None else ""
    way = f"{percent}{'more' if value.change > 0 else 'less'} than {before}"
    good = {True: ", which is better", False: ", which is worse", None: ""}[value.better]
    return f"{said}, {way}{good}"


def _lines(intent: Intent, found: Answer, registry: Registry) -> str:
    name = intent.ranking.metric if intent.ranking else intent.metrics[0]
    kpi = registry.kpi(name)
    lines = [line for line in found.lines if line.values[name].value is not None]
    if not lines:
        return f"No line has a figure for {kpi.name}: {found.lines[0].values[name].reason}."
    if intent.ranking is None:
        lines = sorted(lines, key=lambda line: -(line.values[name].value or 0))
    shown = [
        f"{label(line)} {_short_change(kpi, line.values[name], found.currency)}"
        for line in lines[:_NAMED_LINES]
    ]
    more = f" and {len(lines) - _NAMED_LINES} more" if len(lines) > _NAMED_LINES else ""
    order = f", {intent.ranking.order} first" if intent.ranking else ", highest first"
    total = found.total.values[name]
    whole = f" (in total {figure(kpi, total.value, found.currency)})"
    return f"{kpi.name} by {_listed(intent.by)}{order}: {', '.join(shown)}{more}{whole}."


def _short_change(kpi: Kpi, value: Value, currency: str | None) -> str:
    said = figure(kpi, value.value, currency)
    return f"{said} ({value.change_percent:+.2f} %)" if value.change_percent is not None else said


def _share(intent: Intent, found: Answer, registry: Registry) -> str:
    kpi = registry.kpi(intent.metrics[0])
    asked = {value for values in intent.highlight.values() for value in values}
    lines = [line for line in found.lines if not asked or any(part in asked for part in line.key)]
    lines.sort(key=lambda line: -(line.values[kpi.kpi].share or 0))
    parts = [
        f"{label(line)} {100 * value.share:.1f} % ({figure(kpi, value.value, found.currency)})"
        for line in lines[:_NAMED_LINES]
        for value in [line.values[kpi.kpi]]
        if value.share is not None
    ]
    whole = figure(kpi, found.total.values[kpi.kpi].value, found.currency)
    if not parts:
        return f"There is no {kpi.name} that could have shares."
    return f"Of {whole} {kpi.name}: {', '.join(parts)}."


def _trend(intent: Intent, found: Answer, registry: Registry) -> str:
    kpi = registry.kpi(intent.metrics[0])
    lines = [line for line in found.lines if line.values[kpi.kpi].value is not None]
    if not lines:
        return f"There is no figure for {kpi.name}: {found.lines[0].values[kpi.kpi].reason}."
    value = lambda line: line.values[kpi.kpi].value or 0.0  # noqa: E731
    low, high = min(lines, key=value), max(lines, key=value)
    total = _with_change(kpi, found.total.values[kpi.kpi], found.currency, intent.comparison)
    return (
        f"{total} in all; lowest {label(low)} with {figure(kpi, value(low), found.currency)},"
        f" highest {label(high)} with {figure(kpi, value(high), found.currency)}."
    )


def _why(intent: Intent, found: Answer, causes: Sequence[Contribution], registry: Registry) -> str:
    kpi = registry.kpi(intent.metrics[0])
    value = found.total.values[kpi.kpi]
    said = f"{_with_change(kpi, value, found.currency, intent.comparison)}."
    if value.change is None or value.change == 0:
        return said
    rose = value.change > 0
    if intent.said is not None and (intent.said == "rise") != rose:
        said = f"{kpi.name} did not {intent.said}: {said}"
    with_it = [one for one in causes if one.amount * value.change > 0][:_NAMED_CAUSES]
    if with_it:
        parts = [
            f"{one.value or 'unnamed'} {figure(kpi, one.amount, found.currency, signed=True)}"
            for one in with_it
        ]
        said += f" By {with_it[0].dimension}, most came from {', '.join(parts)}."
    return said


def label(line: Line) -> str:
    """What a line is called."""
    return " / ".join(part if part is not None else "(not said)" for part in line.key)


def _days(first: date, last: date) -> str:
    from marketing_platform.analytics.kpis import Period

    return named(Period(first, last))


def _some_days(days: Sequence[date]) -> str:
    shown = ", ".join(day.isoformat() for day in days[:_NAMED_DAYS])
    return f"{shown}, … until {days[-1]}" if len(days) > _NAMED_DAYS else shown


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
