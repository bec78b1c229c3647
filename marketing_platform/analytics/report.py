"""The analytics report: the questions it asks and the document it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

Query = Callable[[str], list[dict[str, Any]]]

_BATCHES = """
SELECT COUNT(*) AS batches, COALESCE(SUM(rows_landed), 0) AS rows_landed,
       COALESCE(SUM(rows_valid), 0) AS rows_valid, COALESCE(SUM(rows_quarantined), 0) AS rows_quarantined
FROM admitted_batches"""
_USERS = """
SELECT COUNT(*) AS active_users, AVG(events) AS events_per_user,
       MEDIAN(engagement_score) AS median_engagement,
       COUNT(CASE WHEN conversions > 0 THEN 1 END) AS users_with_conversion
FROM user_engagement"""
_TOP_USERS = """
SELECT user_id, engagement_score, events, conversions FROM user_engagement
ORDER BY engagement_score DESC, user_id LIMIT 10"""
_CAMPAIGNS = """
SELECT campaign_id, name, engagement_score, users, events, conversions, click_rate, conversion_rate
FROM campaign_performance ORDER BY engagement_score DESC, campaign_id LIMIT 10"""
_DAYS = """
SELECT date, SUM(events) AS events, SUM(messages) AS messages, SUM(conversions) AS conversions
FROM daily_activity GROUP BY date ORDER BY date"""
_CHANNELS = """
SELECT channel, SUM(events) AS events, SUM(clicks) AS clicks, SUM(conversions) AS conversions
FROM daily_activity GROUP BY channel ORDER BY events DESC, channel"""
# Money and orders are those of KPIs; who bought is no sum over days.
_SALES = """
SELECT sold.currency, bought.lines, sold.orders, bought.buyers, sold.revenue, bought.anonymous_lines
FROM (
  SELECT currency, SUM(orders) AS orders, SUM(sales) AS revenue
  FROM kpi_daily WHERE fact = 'sales' GROUP BY currency
) AS sold JOIN (
  SELECT currency, COUNT(*) AS lines, COUNT(DISTINCT user_id) AS buyers,
         SUM(CASE WHEN user_id IS NULL THEN 1 ELSE 0 END) AS anonymous_lines
  FROM purchases GROUP BY currency
) AS bought ON sold.currency = bought.currency OR (sold.currency IS NULL AND bought.currency IS NULL)
ORDER BY sold.currency"""
# Levels repeat the same money, and currencies do not add up: both stay apart.
_SPEND = """
SELECT level, platform, currency, MIN(day) AS first_day, MAX(day) AS last_day, SUM(spend) AS spend,
       SUM(impressions) AS impressions, SUM(clicks) AS clicks, SUM(conversions) AS conversions
FROM kpi_daily WHERE fact = 'ads' GROUP BY level, platform, currency ORDER BY level, platform, currency"""


def build_report(query: Query) -> dict[str, Any]:
    """Ask the tables of a release (`query` runs SQL over them) and return the report."""
    days = [_plain(row) for row in query(_DAYS)]
    return {
        "data": _plain(query(_BATCHES)[0]),
        "users": {**_plain(query(_USERS)[0]), "most_engaged": [_plain(row) for row in query(_TOP_USERS)]},
        "campaigns": {"most_engaging": [_plain(row) for row in query(_CAMPAIGNS)]},
        "activity": {
            "first_day": days[0]["date"] if days else None,
            "last_day": days[-1]["date"] if days else None,
            "by_channel": [_plain(row) for row in query(_CHANNELS)],
            "by_day": days,
        },
        "sales": [_plain(row) for row in query(_SALES)],
        "ad_spend": [_plain(row) for row in query(_SPEND)],
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value()
        return int(value) if whole and value.as_tuple().exponent == 0 else round(float(value), 2)
    if isinstance(value, float):
        return round(value, 4)
    return value.isoformat() if hasattr(value, "isoformat") else value
