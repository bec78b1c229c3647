"""`marketing-platform kpis …`: which figures there are, whether they are declared rightly, what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketing_platform.cli import findings
from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_problems, emit_table
from marketing_platform.errors import KpiError, UnknownRelease

if TYPE_CHECKING:
    from marketing_platform.analytics.kpis import Answer, Kpi, Line, Registry, Value

app = typer.Typer(help="Figures: which there are, and what they are.", no_args_is_help=True)
app.command("anomalies")(findings.anomalies)
app.command("forecasts")(findings.forecasts)

KpisDir = Annotated[
    Path | None,
    typer.Option(
        "--kpis",
        help="Folder with registry.yaml, workspace.yaml and watch.yaml.",
        envvar="MARKETING_KPIS_DIR",
        exists=True,
        file_okay=False,
    ),
]
_DAY = ["%Y-%m-%d"]
_MOST_DAYS = 5  # named one by one


@app.command("list")
def list_kpis(folder: KpisDir = None, as_json: JsonOption = False) -> None:
    """Every KPI: what it is made of, its unit, where it is good to go, and its dimensions."""
    from marketing_platform.analytics.kpis.described import described_kpi

    registry = _registry(folder)
    if as_json:
        emit_json([described_kpi(registry, kpi) for kpi in registry.kpis.values()])
        return
    rows = [
        (kpi.kpi, kpi.name, kpi.formula, kpi.unit, kpi.direction, ", ".join(registry.dimensions_of(kpi)))
        for kpi in registry.kpis.values()
    ]
    emit_table(f"{len(rows)} KPIs", ["kpi", "name", "is", "unit", "good is", "dimensions"], rows)


@app.command()
def validate(folder: KpisDir = None, as_json: JsonOption = False) -> None:
    """Say that the declarations are right, or all that is wrong with them (exit code 1)."""
    from marketing_platform.analytics.kpis.watch import load_watch

    try:
        registry = _registry(folder)
        load_watch(_folder(folder), registry)
    except KpiError as error:
        problems = str(error).splitlines()
        if as_json:
            emit_json({"kpis": [], "errors": problems})
        else:
            emit_problems(problems)
        raise typer.Exit(1) from None
    if as_json:
        emit_json({"kpis": list(registry.kpis), "errors": []})
        return
    workspace = registry.workspace
    console.print(
        f"{len(registry.kpis)} KPIs are right; days of {workspace.time_zone}, money in {workspace.currency}"
    )


@app.command()
def show(
    kpis: Annotated[
        list[str] | None, typer.Argument(help="KPIs; all that have the dimensions if left out.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option(help="A dimension; may be repeated.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", help="First day.", formats=_DAY)] = None,
    last: Annotated[datetime | None, typer.Option("--to", help="Last day, included.", formats=_DAY)] = None,
    against: Annotated[
        str, typer.Option(help="What to compare with: previous, year-before, none or FROM..TO.")
    ] = "previous",
    only: Annotated[
        list[str] | None,
        typer.Option("--filter", help="country=DE or country!=DE; may be repeated."),
    ] = None,
    order_by: Annotated[str | None, typer.Option(help="A KPI to rank by, best first.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many lines.", min=1, max=10_000)] = 50,
    data_dir: DataDir = None,
    folder: KpisDir = None,
    as_json: JsonOption = False,
) -> None:
    """Figures of the release that serves: by default of the last 30 days of its data and those before."""
    from marketing_platform.analytics.kpis import answer, coverage_of
    from marketing_platform.analytics.kpis.described import described
    from marketing_platform.analytics.kpis.reading import asking
    from marketing_platform.analytics.kpis.wanted import Wanted, question_of
    from marketing_platform.releases.records import open_records
    from marketing_platform.stores.registry import open_stores

    wanted = Wanted(
        kpis=tuple(kpis or ()),
        by=tuple(by or ()),
        first=first.date() if first else None,
        last=last.date() if last else None,
        against=against,
        filters=tuple(only or ()),
        order_by=order_by,
        limit=limit,
    )
    registry, settings = _registry(folder), settings_of(data_dir)
    shelf = open_records(settings).shelf
    current = shelf.current()
    if current is None:
        raise UnknownRelease("nothing is released yet; `marketing-platform run` makes a release")
    ask = asking(shelf.load(current), open_stores(settings).warehouse)
    coverage = coverage_of(ask)
    found = answer(registry, question_of(registry, wanted, coverage), ask, coverage)
    if as_json:
        emit_json({"release_id": current, **described(registry, found)})
        return
    _print(registry, found)


def _registry(folder: Path | None) -> Registry:
    from marketing_platform.analytics.kpis import load_registry

    return load_registry(_folder(folder))


def _folder(given: Path | None) -> Path:
    return (given or settings_of().kpis_dir).resolve()


def _print(registry: Registry, found: Answer) -> None:
    question = found.question
    title = f"{question.period.first} to {question.period.last}"
    if question.against is not None:
        title += f", against {question.against.first} to {question.against.last}"
    console.print(title, markup=False, highlight=False)
    if question.by:
        columns = [
            *question.by,
            *(name for kpi in question.kpis for name in (registry.kpi(kpi).name, "change")),
        ]
        rows = [_row(registry, found, line) for line in found.lines]
        rows.append(
            [
                *("" if place else "all" for place in range(len(question.by))),
                *_cells(registry, found, found.total),
            ]
        )
        emit_table("", columns, rows)
    else:
        emit_table("", ["KPI", "value", "before", "change"], _totals(registry, found))
    for note in _notes(registry, found):
        console.print(note, markup=False, highlight=False)


def _row(registry: Registry, found: Answer, line: Line) -> list[str]:
    named = [part if part is not None else "(not said)" for part in line.key]
    if line.partial:
        named[-1] += " (partial)"
    return [*named, *_cells(registry, found, line)]


def _cells(registry: Registry, found: Answer, line: Line) -> Iterable[str]:
    for name in found.question.kpis:
        value = line.values[name]
        yield _figure(registry.kpi(name), value.value, found.currency)
        yield _change(value)


def _totals(registry: Registry, found: Answer) -> Iterable[Sequence[str]]:
    for name in found.question.kpis:
        kpi, value = registry.kpi(name), found.total.values[name]
        yield (
            kpi.name,
            _figure(kpi, value.value, found.currency),
            _figure(kpi, value.before, found.currency),
            _change(value),
        )


def _figure(kpi: Kpi, value: float | None, currency: str | None) -> str:
    if value is None:
        return "–"
    if kpi.unit == "money":
        return f"{value:,.2f} {currency or ''}".rstrip()
    if kpi.unit == "percent":
        return f"{value:.2f} %"
    whole = kpi.unit == "count" and value == int(value)
    return f"{value:,.0f}" if whole else f"{value:,.2f}"


def _change(value: Value) -> str:
    if value.change is None:
        return ""
    arrow = "▲" if value.change > 0 else "▼" if value.change < 0 else "="
    much = "from 0" if value.change_percent is None else f"{value.change_percent:+.2f} %"
    judged = {True: " better", False: " worse", None: ""}[value.better]
    return f"{arrow} {much}{judged}"


def _notes(registry: Registry, found: Answer) -> Iterable[str]:
    for name in found.question.kpis:
        if reason := found.total.values[name].reason:
            yield f"{registry.kpi(name).name}: {reason}"
    yield from found.notes
    for days, when in ((found.missing_days, ""), (found.missing_before, " compared with")):
        if days:
            named = ", ".join(day.isoformat() for day in days[:_MOST_DAYS])
            more = f" and {len(days) - _MOST_DAYS} more" if len(days) > _MOST_DAYS else ""
            yield f"days{when} without data: {named}{more}"
