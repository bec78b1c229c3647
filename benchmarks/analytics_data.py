"""Made figures of ads in the shape of a release: two years, three platforms, ten accounts, 200 campaigns.

A day has 18,000 lines it could have (campaign, country, device); `rows` of them over all days are drawn
without repeating one. Nothing here is timed.
"""

from __future__ import annotations

from datetime import date

from marketing_platform.analytics import aggregate
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse

DAYS, CAMPAIGNS, COUNTRIES, DEVICES = 730, 200, 30, 3
CELLS = DAYS * CAMPAIGNS * COUNTRIES * DEVICES
FIRST, LAST = date(2024, 1, 1), date(2025, 12, 30)

# A multiplication by a number that shares no factor with CELLS visits every cell once, in a wild order.
_ADS = f"""
WITH cells AS (
  SELECT (i * 7919473) % {CELLS} AS cell, hash(i) % 1000 AS luck FROM range($rows) AS made(i)
), lines AS (
  SELECT cell % {DAYS} AS nth_day, (cell // {DAYS}) % {CAMPAIGNS} AS campaign,
         (cell // {DAYS * CAMPAIGNS}) % {COUNTRIES} AS country,
         cell // {DAYS * CAMPAIGNS * COUNTRIES} AS device, luck
  FROM cells
)
SELECT
  DATE '{FIRST}' + CAST(nth_day AS INTEGER) AS day, 'ads' AS fact, 'exports' AS source,
  ['Google', 'Meta', 'Microsoft'][1 + campaign % 10 % 3] AS platform, 'account-' || campaign % 10 AS account,
  'campaign' AS level, 'campaign-' || campaign AS campaign, 'country-' || country AS country,
  ['desktop', 'phone', 'tablet'][1 + device] AS device, CAST(NULL AS VARCHAR) AS channel, 'USD' AS currency,
  CAST(luck * 0.37 + 1 AS DECIMAL(18, 6)) AS spend, CAST(luck * 40 AS BIGINT) AS impressions,
  CAST(luck AS BIGINT) AS clicks, CAST(luck // 20 AS DOUBLE) AS conversions,
  CAST(luck * 1.1 AS DECIMAL(18, 6)) AS revenue, CAST(NULL AS DOUBLE) AS unvalued_conversions,
  CAST(NULL AS DECIMAL(18, 6)) AS sales, CAST(NULL AS BIGINT) AS orders,
  CAST(NULL AS DECIMAL(18, 6)) AS engagement
FROM lines
ORDER BY day"""
_COUNTS = ", ".join(
    f"CAST(hash(i) % 9999 AS BIGINT) AS {name}" for name in aggregate("daily_activity").column_names[2:]
)
_ACTIVITY = f"""
SELECT DATE '{FIRST}' + CAST(i // 5 AS INTEGER) AS date,
       ['ad', 'app', 'email', 'sms', 'web'][1 + i % 5] AS channel, {_COUNTS}
FROM range({DAYS * 5}) AS made(i)"""


def make(warehouse: DuckDBWarehouse, rows: int, version: str) -> dict[str, StoredTable]:
    """The tables of KPIs with `rows` lines of ads, stored as a run stores them."""
    made = {"kpi_daily": warehouse.create(f"kpi_daily__{version}", Select(_ADS, [], {"rows": rows}))}
    schema = aggregate("buyer_days").arrow_schema
    with warehouse.writer(f"buyer_days__{version}", schema) as writer:
        writer.add(schema.empty_table())
    made["buyer_days"] = writer.stored
    coverage = Select(aggregate("kpi_coverage").query, [made["kpi_daily"].ref])
    made["kpi_coverage"] = warehouse.create(f"kpi_coverage__{version}", coverage)
    return made


def make_activity(warehouse: DuckDBWarehouse, version: str) -> StoredTable:
    """Two years of daily activity."""
    return warehouse.create(f"daily_activity__{version}", Select(_ACTIVITY, []))
