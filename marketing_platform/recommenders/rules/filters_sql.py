"""Conditions of declarations as SQL in DuckDB's dialect, for those that warehouses look at.

That values fit their column was seen when the declaration was read (`loading.py`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from marketing_platform.catalog import ColumnType
from marketing_platform.recommenders.rules.spec import Condition


def holds_sql(value: str, condition: Condition, kind: ColumnType) -> str:
    """Whether a condition holds of an expression of a type; it does not of what is missing."""
    parts: list[str] = []
    for keyword, given in (("IN", condition.one_of), ("NOT IN", condition.none_of)):
        if given is not None:
            parts.append(f"{value} {keyword} ({', '.join(literal_sql(one, kind) for one in given)})")
    for operator, bound in ((">=", condition.at_least), ("<=", condition.at_most)):
        if bound is not None:
            parts.append(f"{value} {operator} {literal_sql(bound, kind)}")
    return " AND ".join(parts)


def literal_sql(value: Any, kind: ColumnType) -> str:
    """A value of a declaration in SQL."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return format(Decimal(str(value)), "f")
    if isinstance(value, datetime):
        value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return f"CAST('{value.isoformat()}' AS {kind.sql})"
    return "'" + str(value).replace("'", "''") + "'"
