"""What the KPIs of a release give to notice: unusual days, and what is expected of the days to come."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from marketing_platform.analytics.kpis import load_registry
from marketing_platform.analytics.kpis.anomalies import Anomaly, Drawn, Found, find_anomalies
from marketing_platform.analytics.kpis.forecasts import Forecasts, KpiForecast, make_forecasts
from marketing_platform.analytics.kpis.reading import ANOMALIES, FORECASTS
from marketing_platform.analytics.kpis.watch import load_watch
from marketing_platform.defs.assets.analytics import asking, report_asset
from marketing_platform.defs.io_managers import reusable
from marketing_platform.defs.metadata import Banded, banded, markdown_table
from marketing_platform.releases.version import declared_version
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import StoredTable
from marketing_platform.stores.registry import Stores

_MOST_ROWS, _MOST_PLOTS = 50, 6
_SHOWN_DAYS = 84  # before a forecast


@report_asset(name=ANOMALIES)
def kpi_anomalies(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    kpi_daily: StoredTable,
    buyer_days: StoredTable,
    kpi_coverage: StoredTable,
) -> Any:  # a document
    """The latest days on which a KPI of `kpis/watch.yaml` was far outside its own history."""
    if (before := reusable(context, kpis=declared_version(settings.kpis_dir))) is not None:
        return before
    registry = load_registry(settings.kpis_dir)
    ask = asking(stores, (kpi_daily, buyer_days, kpi_coverage))
    found = find_anomalies(registry, load_watch(settings.kpis_dir, registry), ask)
    context.add_output_metadata(
        {
            "anomalies": len(found.anomalies),
            "unusual": _unusual(found.anomalies),
            "watched": _watched(found),
            **{f"plot {_named(drawn)}": banded(_band_of(drawn)) for drawn in found.drawn[:_MOST_PLOTS]},
        }
    )
    return found.document()


@report_asset(name=FORECASTS)
def kpi_forecasts(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    kpi_daily: StoredTable,
    buyer_days: StoredTable,
    kpi_coverage: StoredTable,
) -> Any:  # a document
    """The 28 days to come of the KPIs that `kpis/watch.yaml` names, by the model that did better before."""
    if (before := reusable(context, kpis=declared_version(settings.kpis_dir))) is not None:
        return before
    registry = load_registry(settings.kpis_dir)
    ask = asking(stores, (kpi_daily, buyer_days, kpi_coverage))
    made = make_forecasts(registry, load_watch(settings.kpis_dir, registry), ask)
    context.add_output_metadata(
        {
            "forecasts": len(made.made),
            "errors": markdown_table(
                ["KPI", "model", "serves", "MASE", "sMAPE %", "within interval %"], [*_errors(made)]
            ),
            "declined": markdown_table(["KPI", "reason"], [*made.declined.items()]),
            **{f"plot {one.kpi}": banded(_ahead(one)) for one in made.made},
        }
    )
    return made.document()


def _unusual(anomalies: Sequence[Anomaly]) -> dg.MarkdownMetadataValue:
    columns = ["day", "KPI", "of", "value", "expected", "low", "high"]
    rows = [
        (one.day, one.kpi, one.member or "everything", one.value, one.expected, one.low, one.high)
        for one in anomalies[:_MOST_ROWS]
    ]
    return markdown_table(columns, rows)


def _watched(found: Found) -> dg.MarkdownMetadataValue:
    columns = ["KPI", "by", "sensitivity", "series", "days judged", "from", "to", "not judged"]
    rows = [
        (one.kpi, ", ".join(one.by), one.sensitivity, one.series, one.days, one.first, one.last, one.reason)
        for one in found.judged
    ]
    return markdown_table(columns, rows)


def _named(drawn: Drawn) -> str:
    return f"{drawn.series.kpi} of {drawn.series.member}" if drawn.series.member else drawn.series.kpi


def _band_of(drawn: Drawn) -> Banded:
    days = sorted(drawn.series.values)
    return Banded(
        title=f"{_named(drawn)}: what was, and what was expected",
        days=days,
        values=[drawn.series.values[day] for day in days],
        band_days=[*drawn.bands],
        low=[band.low for band in drawn.bands.values()],
        high=[band.high for band in drawn.bands.values()],
        marked=sorted(drawn.unusual),
    )


def _errors(made: Forecasts) -> Iterator[tuple[Any, ...]]:
    for one in made.made:
        for model, errors in one.forecast.errors.items():
            serves = "yes" if model == one.forecast.model else ""
            yield one.kpi, model, serves, errors.mase, errors.smape, errors.coverage


def _ahead(one: KpiForecast) -> Banded:
    known = one.known[-_SHOWN_DAYS:]
    carried = one.forecast.days
    return Banded(
        title=f"{one.kpi}: {one.forecast.model}",
        days=[one.last - timedelta(days=ago) for ago in range(len(known) - 1, -1, -1)],
        values=known,
        band_days=[one.last + timedelta(days=ahead) for ahead in range(1, len(carried.middle) + 1)],
        low=carried.low.tolist(),
        high=carried.high.tolist(),
        middle=carried.middle.tolist(),
    )
