"""How a question is put, and how its answer looks."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from marketing_platform.analytics.questions.intent import AskedPeriod, Comparison, Intent, Kind
from marketing_platform.analytics.questions.text import LONGEST
from serving import responses
from serving.parameters import Day
from serving.responses import Part


class AskedQuestion(Part):
    """A question, and the one before if this one is about it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": "CAC by country in Q2 vs Q1"}]})

    question: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)] = Field(
        description="In plain English."
    )
    context: Intent | None = Field(None, description="`intent` of the answer before, for “and on mobile?”.")
    today: Day | None = Field(
        None, description="What `yesterday` is the day before; the last day of data unless given."
    )


class Query(Part):
    """A query that gave the figures, over tables of the release."""

    sql: str = Field(description="With named parameters.")
    parameters: dict[str, Any] = Field(description="Their values.")


class QuestionAnswer(responses.Answer):
    """An answer, or why there is none: then `declined` is true and `reason` says it."""

    interpretation: str = Field(description="How the question was understood; empty when it was not.")
    understood_by: str = Field(description="`rules`, or the language model that was asked.")
    kind: Kind | None = Field(description="What sort of question it is.")
    intent: Intent | None = Field(description="What is asked for; send it as `context` of the next question.")
    period: AskedPeriod | None = Field(description="The days asked about.")
    against: Comparison | None = Field(description="The days compared with.")
    currency: str | None = Field(description="Of all money in the answer.")
    sentence: str = Field(description="The answer in a sentence.")
    rows: tuple[dict[str, Any], ...] = Field(
        description="A row for each line: dimensions, then each KPI, with `_before`, `_change`, "
        "`_change_percent`, `_better`, `_share` and `_reason` where there is such."
    )
    missing_days: tuple[date, ...] = Field(description="Days of the period without any data.")
    notes: tuple[str, ...] = Field(description="What was decided that the question does not say.")
    sql: tuple[Query, ...] = Field(description="What was asked of the release.")
    chart: dict[str, Any] | None = Field(description="A Vega-Lite document; null for a single figure.")
    declined: bool = Field(description="Whether there is no answer.")
    reason: str | None = Field(description="Why there is none.")
    suggestions: tuple[str, ...] = Field(description="What could be asked instead.")


def example() -> dict[str, Any]:
    """An answer with a figure."""
    days = {"first": "2026-10-01", "last": "2026-10-31"}
    period = {**days, "kind": "month"}
    intent = {
        "metrics": ["spend"],
        "by": [],
        "filters": {"platform": {"only": ["Meta"], "never": []}},
        "highlight": {},
        "period": period,
        "comparison": None,
        "ranking": None,
        "share": False,
        "why": False,
        "said": None,
    }
    sql = "SELECT SUM(spend) AS spend FROM kpi_daily WHERE day BETWEEN $first AND $last"
    return {
        **responses.head_example(),
        "interpretation": "Spend, only platform Meta, October 2026",
        "understood_by": "rules",
        "kind": "value",
        "intent": intent,
        "period": period,
        "against": None,
        "currency": "USD",
        "sentence": "October 2026: Spend 14,808.96 USD.",
        "rows": [{"spend": 14808.96}],
        "missing_days": [],
        "notes": [],
        "sql": [{"sql": sql, "parameters": days}],
        "chart": None,
        "declined": False,
        "reason": None,
        "suggestions": [],
    }
