"""`marketing-platform kpis anomalies | forecasts`: what the release that serves found in its own figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketing_platform.cli.options import DataDir, settings_of
from marketing_platform.cli.output import JsonOption, console, emit_json, emit_table
from marketing_platform.errors import UnknownRelease

if TYPE_CHECKING:
    from marketing_platform.settings import Settings

Of = Annotated[list[str] | None, typer.Argument(help="KPIs; all that there is something about if left out.")]


def anomalies(kpis: Of = None, data_dir: DataDir = None, as_json: JsonOption = False) -> None:
    """The latest days on which a KPI was far outside its own history, and what was expected."""
    from marketing_platform.analytics.kpis.reading import ANOMALIES

    document = _found(settings_of(data_dir), ANOMALIES, kpis or ())
    if as_json:
        emit_json(document)
        return
    found, columns = document["anomalies"], ("value", "expected", "low", "high")
    rows = [
        [one["day"], one["kpi"], one["member"] or "everything", *_figures(one, *columns)] for one in found
    ]
    emit_table(f"{len(found)} unusual day(s)", ["day", "KPI", "of", *columns], rows)
    for one in document["watched"]:
        judged = f"{one['days']} days of {one['series']} series, {one['first']} to {one['last']}"
        console.print(
            f"{one['kpi']}: {one['reason'] or judged}", markup=False, highlight=False, soft_wrap=True
        )


def forecasts(kpis: Of = None, data_dir: DataDir = None, as_json: JsonOption = False) -> None:
    """The days to come of KPIs, between which bounds, and how far such forecasts were off before."""
    from marketing_platform.analytics.kpis.reading import FORECASTS

    document = _found(settings_of(data_dir), FORECASTS, kpis or ())
    if as_json:
        emit_json(document)
        return
    for made in document["forecasts"]:
        rows = [[one["day"], *_figures(one, "value", "low", "high")] for one in made["days"]]
        unit = f", {made['currency']}" if made["currency"] else ""
        emit_table(f"{made['kpi']}{unit}", ["day", "expected", "low", "high"], rows)
        for line in (f"{made['says']}.", *_errors(made)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    for one in document["declined"]:
        console.print(f"{one['kpi']}: {one['reason']}", markup=False, highlight=False, soft_wrap=True)


def _found(settings: Settings, name: str, kpis: Sequence[str]) -> dict[str, Any]:
    """What a report of the release that serves says of KPIs, with the release's id.

    Raises:
        KpiError: There is no such KPI.
        UnknownRelease: Nothing serves, or what serves is older than such reports.
    """
    from marketing_platform.analytics.kpis import load_registry
    from marketing_platform.analytics.kpis.reading import about
    from marketing_platform.releases.records import open_records
    from marketing_platform.stores.registry import open_stores

    registry = load_registry(settings.kpis_dir)
    named = [registry.kpi(kpi).kpi for kpi in kpis]
    shelf = open_records(settings).shelf
    current = shelf.current()
    if current is None:
        raise UnknownRelease("nothing is released yet; `marketing-platform run` makes a release")
    reports = shelf.load(current).reports
    if name not in reports:
        raise UnknownRelease(f"{current} has no {name}; `marketing-platform run` makes the next release")
    return {"release_id": current, **about(open_stores(settings).reports.read(reports[name].name), named)}


def _figures(one: dict[str, Any], *names: str) -> Iterable[str]:
    return (f"{one[name]:,.2f}" for name in names)


def _errors(made: dict[str, Any]) -> Iterable[str]:
    tried = made["tried"]
    for model, errors in tried["models"].items():
        yield (
            f"{model}, tried from {tried['origins']} past days: MASE {errors['mase']:.2f},"
            f" sMAPE {errors['smape']:.1f} %, {errors['coverage']:.0f} % of days within their"
            f" {made['level']} % interval"
        )
