"""How figures look in an answer; what they mean is declared in `kpis/registry.yaml`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from marketing_platform.analytics.kpis.spec import Direction, Unit
from serving import responses
from serving.responses import Part

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Days(Part):
    """Days, both ends included."""

    first: date = Field(alias="from", description="First day.")
    last: date = Field(alias="to", description="Last day.")
    days: int = Field(description="How many.")


class KpiValue(Part):
    """One figure, and how it changed."""

    value: Finite | None = Field(description="The figure; null when there is none, `reason` says why.")
    reason: str | None = Field(description="Why there is no figure or no change.")
    before: Finite | None = Field(description="The figure of the days compared with.")
    change: Finite | None = Field(description="value - before.")
    change_percent: Finite | None = Field(description="Of before; null when that is 0.")
    better: bool | None = Field(description="By the KPI's direction; null when it has none.")
    share: Finite | None = Field(description="Of the total, 0 to 1; of sums only.")


class KpiDefinition(Part):
    """What a KPI is: scale x numerator / denominator, each a sum."""

    kpi: str = Field(description="Its identifier.")
    name: str = Field(description="What people call it.")
    says: str = Field(description="What it tells.")
    unit: Unit = Field(description="money is in `currency` of the answer; percent is of a hundred.")
    direction: Direction = Field(description="Where it is good to go.")
    numerator: str = Field(description="The measure that is added up.")
    denominator: str | None = Field(description="The measure it is divided by.")
    scale: Finite = Field(description="Factor.")
    undefined: str | None = Field(description="The reason when the denominator is 0.")
    dimensions: tuple[str, ...] = Field(description="What it can be broken down by.")


class KpiLine(Part):
    """The figures of one combination of dimensions."""

    key: dict[str, str | None] = Field(description="By dimension; null where the data does not say.")
    partial: bool = Field(description="A week, month or quarter that is not whole.")
    values: dict[str, KpiValue] = Field(description="By KPI.")


class FilterOf(Part):
    """Which values of a dimension count."""

    only: tuple[str, ...] = Field(description="Only these.")
    never: tuple[str, ...] = Field(description="All but these.")


class KpiQuery(Part):
    """SQL that was run on tables of the release, in DuckDB's dialect; values were bound."""

    sql: str = Field(description="The query.")
    tables: tuple[str, ...] = Field(description="Tables of the release that it reads.")
    parameters: dict[str, Any] = Field(description="Values by name.")


class KpiAnswer(responses.Answer):
    """Figures with all it takes to check them."""

    period: Days = Field(description="The days asked about.")
    against: Days | None = Field(description="The days compared with.")
    time_zone: str = Field(description="Where days of orders and events begin; ads have their account's.")
    currency: str | None = Field(description="Of all money in the answer; null when there is none.")
    last_day: date | None = Field(description="Last day with data of what was asked about.")
    kpis: tuple[KpiDefinition, ...] = Field(description="What was asked for.")
    by: tuple[str, ...] = Field(description="Dimensions of the lines.")
    filters: dict[str, FilterOf] = Field(description="By dimension.")
    total: dict[str, KpiValue] = Field(description="Of everything asked about, by KPI.")
    lines: tuple[KpiLine, ...] = Field(description="In order of their keys, or as ranked.")
    missing_days: tuple[date, ...] = Field(description="Days of the period without data.")
    missing_before: tuple[date, ...] = Field(description="The same of the days compared with.")
    notes: tuple[str, ...] = Field(description="What a reader must know: rates used, accounts left out.")
    queries: tuple[KpiQuery, ...] = Field(description="How the figures came about.")


def example() -> dict[str, Any]:
    """CAC by country, one line."""
    value = {"reason": None, "change": -0.44, "change_percent": -2.2, "better": True, "share": None}
    return {
        **responses.head_example(),
        "period": {"from": "2026-06-01", "to": "2026-06-30", "days": 30},
        "against": {"from": "2026-05-02", "to": "2026-05-31", "days": 30},
        "time_zone": "UTC",
        "currency": "USD",
        "last_day": "2026-06-30",
        "kpis": [
            {
                "kpi": "cac",
                "name": "CAC",
                "says": "What one conversion costs.",
                "unit": "money",
                "direction": "down",
                "numerator": "spend",
                "denominator": "conversions",
                "scale": 1.0,
                "undefined": "there were no conversions",
                "dimensions": ["platform", "country", "day"],
            }
        ],
        "by": ["country"],
        "filters": {},
        "total": {"cac": {"value": 19.56, "before": 20.0, **value}},
        "lines": [
            {
                "key": {"country": "DE"},
                "partial": False,
                "values": {"cac": {"value": 19.56, "before": 20.0, **value}},
            }
        ],
        "missing_days": [],
        "missing_before": ["2026-05-17"],
        "notes": [],
        "queries": [
            {
                "sql": "SELECT country, … FROM kpi_daily WHERE day BETWEEN $first AND $last …",
                "tables": ["kpi_daily"],
                "parameters": {"first": "2026-06-01", "last": "2026-06-30"},
            }
        ],
    }
