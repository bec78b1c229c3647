"""An answer as a document: what the API sends and `--json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from marketing_platform.analytics.kpis.answering import Answer, Line
from marketing_platform.analytics.kpis.periods import Period
from marketing_platform.analytics.kpis.spec import Kpi, Registry


def described_kpi(registry: Registry, kpi: Kpi) -> dict[str, Any]:
    """What a KPI is, for people and programs."""
    return {
        "kpi": kpi.kpi,
        "name": kpi.name,
        "says": kpi.says or registry.needs(kpi)[0].says,
        "unit": kpi.unit,
        "direction": kpi.direction,
        "numerator": kpi.numerator,
        "denominator": kpi.denominator,
        "scale": kpi.scale,
        "undefined": kpi.undefined,
        "dimensions": list(registry.dimensions_of(kpi)),
    }


def described(registry: Registry, answer: Answer) -> dict[str, Any]:
    """The answer with all it takes to check it: periods, missing days, notes, SQL and its parameters."""
    question = answer.question
    return {
        "period": _days(question.period),
        "against": _days(question.against),
        "time_zone": registry.workspace.time_zone,
        "currency": answer.currency,
        "last_day": answer.last_day,
        "kpis": [described_kpi(registry, registry.kpi(name)) for name in question.kpis],
        "by": list(question.by),
        "filters": {name: asdict(one) for name, one in question.filters.items()},
        "total": _values(answer.total),
        "lines": [
            {
                "key": dict(zip(question.by, line.key, strict=True)),
                "partial": line.partial,
                "values": _values(line),
            }
            for line in answer.lines
        ],
        "missing_days": list(answer.missing_days),
        "missing_before": list(answer.missing_before),
        "notes": list(answer.notes),
        "queries": [
            {"sql": one.sql, "tables": list(one.tables), "parameters": one.parameters}
            for one in answer.queries
        ],
    }


def _days(period: Period | None) -> dict[str, Any] | None:
    return None if period is None else {"from": period.first, "to": period.last, "days": period.days}


def _values(line: Line) -> dict[str, dict[str, Any]]:
    return {name: vars(value) for name, value in line.values.items()}
