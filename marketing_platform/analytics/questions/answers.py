"""Asking: a text, understood and worked out, with everything by which it can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from marketing_platform.analytics.kpis import Answer, Contribution, Question, Registry, answer, contributions
from marketing_platform.analytics.kpis.answering import Ask, Value
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.charts import chart
from marketing_platform.analytics.questions.checking import checked
from marketing_platform.analytics.questions.facts import Facts
from marketing_platform.analytics.questions.intent import Intent
from marketing_platform.analytics.questions.parsing import Parsed, Reader
from marketing_platform.analytics.questions.refusal import Declined, NotUnderstood
from marketing_platform.analytics.questions.sentences import interpretation, sentence
from marketing_platform.errors import KpiError

_SOURCE = "source"  # a dimension of ours, not of the market: it explains nothing


class Understands(Protocol):
    """Another way to an intent, asked where the rules have none: a language model."""

    name: str

    def intent(self, text: str, reader: Reader, today: date | None, context: Intent | None) -> Intent | None:
        """The intent of a question, or None; it may only be one that `checked` would let pass."""
        ...


@dataclass(frozen=True)
class Asked:
    """What came of a question: an answer, or why there is none."""

    text: str
    intent: Intent | None
    declined: Declined | None
    interpretation: str = ""
    understood_by: str = "rules"
    notes: tuple[str, ...] = ()
    found: Answer | None = None
    causes: tuple[Contribution, ...] = ()
    sentence: str = ""
    chart: dict[str, Any] | None = None
    rows: tuple[dict[str, Any], ...] = ()

    def document(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        intent, found = self.intent, self.found
        against = intent.comparison if intent else None
        return {
            "interpretation": self.interpretation,
            "understood_by": self.understood_by,
            "kind": intent.kind if intent else None,
            "intent": intent.model_dump(mode="json") if intent else None,
            "period": intent.period.model_dump(mode="json") if intent else None,
            "against": against.model_dump(mode="json") if against else None,
            "currency": found.currency if found else None,
            "sentence": self.sentence,
            "rows": list(self.rows),
            "missing_days": [day.isoformat() for day in found.missing_days] if found else [],
            "notes": list(self.notes),
            "sql": [
                {"sql": " ".join(one.sql.split()), "parameters": _plain(one.parameters)}
                for one in found.queries
            ]
            if found
            else [],
            "chart": self.chart,
            "declined": self.declined is not None,
            "reason": self.declined.reason if self.declined else None,
            "suggestions": list(self.declined.suggestions) if self.declined else [],
        }


def ask(
    registry: Registry,
    facts: Facts | Reader,
    text: str,
    run: Ask,
    *,
    today: date | None = None,
    context: Intent | None = None,
    model: Understands | None = None,
) -> Asked:
    """What a question gets: an answer, or a refusal that says what could be asked.

    Args:
        registry: The KPIs.
        facts: What the release knows (`known_facts`), or a `Reader` made of it that is kept.
        text: The question as it was typed.
        run: Asks the tables of the release, such as `OpenRelease.rows`.
        today: What `yesterday` is a day before; the last day of data unless given.
        context: The intent of the question before, for “and on mobile?”.
        model: Asked where the rules do not understand; its intents pass the same checks.
    """
    reader = facts if isinstance(facts, Reader) else Reader(registry, facts)
    if context is not None:
        context = _usable(context, reader, today)
    understood = reader.parse(text, today=today, context=context)
    by = "rules"
    if isinstance(understood, Declined) and model is not None:
        found = model.intent(text, reader, today, context)
        if found is not None:
            understood, by = Parsed(found), model.name
    if isinstance(understood, Declined):
        return Asked(text, None, understood)
    try:
        return _worked_out(text, understood, reader, run, by)
    except KpiError as error:
        return Asked(text, understood.intent, Declined(str(error), reader.examples()), understood_by=by)


def _usable(context: Intent, reader: Reader, today: date | None) -> Intent | None:
    """The intent before, if this release can still answer it."""
    try:
        return checked(context, reader.registry, reader.facts, today)
    except NotUnderstood:
        return None


def _worked_out(text: str, parsed: Parsed, reader: Reader, run: Ask, by: str) -> Asked:
    intent, registry = parsed.intent, reader.registry
    question = intent.question(registry)
    causes: tuple[Contribution, ...] = ()
    if intent.why:
        found = answer(registry, replace(question, by=()), run)
        causes = _causes(question, reader, run)
    else:
        found = answer(registry, question, run)
    said = sentence(intent, found, causes, registry)
    return Asked(
        text=text,
        intent=intent,
        declined=None,
        interpretation=interpretation(intent, registry),
        understood_by=by,
        notes=(*parsed.notes, *found.notes),
        found=found,
        causes=causes,
        sentence=said,
        chart=chart(intent, found, causes, registry, description=said),
        rows=tuple(_rows(intent, found, causes)),
    )


def _causes(question: Question, reader: Reader, run: Ask) -> tuple[Contribution, ...]:
    """What values of the dimension asked for contributed, or of the one that explains most."""
    kpi = reader.registry.kpi(question.kpis[0])
    offered = [
        name
        for name in reader.registry.dimensions_of(kpi)
        if name not in (*TIME_BUCKETS, _SOURCE) and len(reader.facts.values.get(name, ())) > 1
    ]
    asked = [name for name in question.by if name not in TIME_BUCKETS] or [
        name for name in offered if len(question.filters[name].only if name in question.filters else ()) != 1
    ]
    made = [contributions(reader.registry, question, name, run) for name in asked]
    # Parts of every dimension add up to the same change; the one with the largest part tells most.
    return max(made, key=lambda parts: max((abs(one.amount) for one in parts), default=0.0), default=())


def _rows(intent: Intent, found: Answer, causes: Sequence[Contribution]) -> list[dict[str, Any]]:
    if intent.why:
        return [
            {"dimension": one.dimension, "value": one.value, "contribution": one.amount, "share": one.share}
            for one in causes
        ]
    lines = found.lines if intent.by else (found.total,)
    rows: list[dict[str, Any]] = []
    for line in lines:
        row: dict[str, Any] = dict(zip(intent.by, line.key, strict=True))
        for name in intent.metrics:
            row.update(_columns(name, line.values[name], intent))
        if line.partial:
            row["partial"] = True
        rows.append(row)
    return rows


def _columns(name: str, value: Value, intent: Intent) -> dict[str, Any]:
    found: dict[str, Any] = {name: value.value}
    if value.reason is not None:
        found[f"{name}_reason"] = value.reason
    if intent.comparison is not None:
        found |= {
            f"{name}_before": value.before,
            f"{name}_change": value.change,
            f"{name}_change_percent": value.change_percent,
            f"{name}_better": value.better,
        }
    if intent.share:
        found[f"{name}_share"] = value.share
    return found


def _plain(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat()
        if isinstance(value, date | datetime)
        else float(value)
        if isinstance(value, Decimal)
        else value
        for name, value in parameters.items()
    }
