"""KPIs, asked of the release through the engine that everything else uses too."""

from __future__ import annotations

from dataclasses import replace

from marketing_platform.analytics.kpis import Registry, answer
from marketing_platform.analytics.kpis.described import described
from marketing_platform.analytics.kpis.reading import about
from marketing_platform.analytics.kpis.wanted import Wanted, question_of
from marketing_platform.errors import KpiError
from serving import responses
from serving.errors import ApiError
from serving.releases import OpenRelease


def values(release: OpenRelease, wanted: Wanted, *, registry: Registry) -> bytes:
    """What is wanted, with all it takes to check it.

    Raises:
        ApiError: `not_ready` for a release older than KPIs, `unanswerable` when there is no answer.
            `invalid_parameter` for names that nothing has.
    """
    _check_names(registry, wanted)
    coverage = release.coverage()
    try:
        question = question_of(registry, wanted, coverage)
        found = answer(registry, question, release.rows, coverage)
    except KpiError as error:
        raise ApiError("unanswerable", reason=str(error)) from error
    more = question.by and len(found.lines) == question.limit
    document = described(
        registry, found if not more else replace(found, notes=(*found.notes, _cut(question.limit)))
    )
    return responses.to_json(document)


def findings(release: OpenRelease, report: str, kpis: tuple[str, ...], *, registry: Registry) -> bytes:
    """What a report of the release (ANOMALIES, FORECASTS) says of these KPIs, or of all.

    Raises:
        ApiError: `not_ready` for a release older than the report, `invalid_parameter` for unknown KPIs.
    """
    _check_names(registry, Wanted(kpis))
    return responses.to_json(about(release.report(report), kpis))


def _check_names(registry: Registry, wanted: Wanted) -> None:
    """Errors of the engine may repeat names, so those that nobody declared do not get so far."""
    conditions = [condition.partition("=")[0].removesuffix("!") for condition in wanted.filters]
    ordered = [wanted.order_by] if wanted.order_by else []
    problems = [
        {"in": "query", "name": parameter, "problem": f"must be one of: {', '.join(known)}"}
        for parameter, names, known in (
            ("kpi", wanted.kpis, registry.kpis),
            ("order_by", ordered, registry.kpis),
            ("by", wanted.by, registry.dimensions),
            ("filter", conditions, registry.dimensions),
        )
        if not set(names) <= set(known)
    ]
    if problems:
        raise ApiError("invalid_parameter", problems=problems)


def _cut(limit: int) -> str:
    return f"cut after line {limit}; ask with a larger limit or a filter"
