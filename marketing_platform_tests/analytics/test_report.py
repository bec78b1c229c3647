"""The report is complete, plain JSON, and never adds up what must stay apart."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from marketing_platform.analytics import aggregate
from marketing_platform.analytics.report import build_report
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform_tests.analytics.test_aggregates import CAMPAIGNS, EVENTS
from marketing_platform_tests.tables import rows_of, stored

SALE = {"product_id": "p", "timestamp": datetime(2026, 5, 1, tzinfo=UTC), "quantity": 2}
SPEND = {"date": date(2026, 5, 1), "platform": "Google", "clicks": 1, "impressions": 10}


def report(folder: Path, *, empty: bool = False) -> dict[str, Any]:
    purchases = [
        {**SALE, "order_id": "1", "user_id": "ann", "unit_price": Decimal("1.05"), "currency": "EUR"},
        {**SALE, "order_id": "2", "unit_price": Decimal("3"), "currency": "EUR", "quantity": -1},
        {**SALE, "order_id": "3", "unit_price": Decimal("10"), "currency": "GBP"},
    ]
    spend = [
        {**SPEND, "level": level, "spend": Decimal("5.5"), "currency": "EUR"}
        for level in ("account", "campaign")
    ]
    tables = {
        "events": rows_of("events", [] if empty else EVENTS),
        "campaigns": rows_of("campaigns", [] if empty else CAMPAIGNS),
        "purchases": rows_of("purchases", [] if empty else purchases),
        "ad_spend": rows_of("ad_spend", [] if empty else spend),
        "admitted_batches": pa.table(
            {
                "batch_id": ["a.csv@0123456789ab"],
                "source": ["shop"],
                **{"rows_landed": [7], "rows_valid": [6], "rows_quarantined": [1]},
            }
        ),
    }
    warehouse, refs = stored(folder, tables)
    made: list[TableRef] = []
    for name in ("user_engagement", "campaign_performance", "daily_activity", "kpi_daily"):
        declared = aggregate(name)
        select = Select(declared.query, [refs[read] for read in declared.reads])
        made.append(warehouse.create(f"{name}__1", select).ref)
    return build_report(lambda sql: warehouse.query(Select(sql, [*refs.values(), *made])).to_pylist())


def test_figures_are_those_of_the_tables(tmp_path: Path) -> None:
    found = report(tmp_path)
    assert found["data"] == {"batches": 1, "rows_landed": 7, "rows_valid": 6, "rows_quarantined": 1}
    assert found["activity"]["first_day"] == "2026-05-01"
    assert sum(day["events"] for day in found["activity"]["by_day"]) == len(EVENTS)
    assert found["campaigns"]["most_engaging"][0]["campaign_id"] == "c1"


def test_currencies_and_levels_stay_apart(tmp_path: Path) -> None:
    found = report(tmp_path)
    sales = {sale["currency"]: sale for sale in found["sales"]}
    assert (sales["EUR"]["revenue"], sales["GBP"]["revenue"]) == (-0.9, 20.0)
    assert sales["EUR"]["anonymous_lines"] == 1
    # An order is one with a line that is no return, here as for the KPI.
    assert (sales["EUR"]["lines"], sales["EUR"]["orders"], sales["EUR"]["buyers"]) == (2, 1, 1)
    assert [(line["level"], line["spend"]) for line in found["ad_spend"]] == [
        ("account", 5.5),
        ("campaign", 5.5),
    ]


def test_a_report_about_nothing_is_still_a_report(tmp_path: Path) -> None:
    found = report(tmp_path, empty=True)
    assert found["activity"] == {"first_day": None, "last_day": None, "by_channel": [], "by_day": []}
    assert found["sales"] == found["ad_spend"] == []


def test_it_is_plain_json(tmp_path: Path) -> None:
    assert orjson.loads(orjson.dumps(report(tmp_path)))
