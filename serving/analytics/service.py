"""Pages of aggregate rows, read from the release with bound parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from marketing_platform.analytics import aggregate
from serving import responses
from serving.errors import ApiError
from serving.releases import RECOMMENDATIONS, OpenRelease

Order = Literal["asc", "desc"]


@dataclass(frozen=True)
class Condition:
    """`column operator value`; a condition without a value asks for nothing."""

    column: str
    operator: Literal["=", ">=", "<="]
    value: Any


@dataclass(frozen=True)
class Page:
    """Which rows of a table, and in which order; `sort` is a declared column."""

    sort: str
    order: Order
    limit: int
    offset: int


def user_engagement(release: OpenRelease, user_id: str | None, page: Page) -> bytes:
    """Users and how engaged they are; a user without events has no row, an unknown one is a 404."""

    def work() -> bytes:
        rows = _rows(release, "user_engagement", [Condition("user_id", "=", user_id)], page)
        if user_id is not None and not rows and release.answer(RECOMMENDATIONS, user_id) is None:
            raise ApiError("unknown_user", parameter="user_id")
        return _page_of(rows, page)

    return release.remembered.body(("user_engagement", user_id, page), work)


def campaign_performance(release: OpenRelease, campaign_id: str | None, page: Page) -> bytes:
    """Campaigns and how they do; an unknown campaign is a 404."""

    def work() -> bytes:
        rows = _rows(release, "campaign_performance", [Condition("campaign_id", "=", campaign_id)], page)
        if campaign_id is not None and not rows and page.offset == 0:
            raise ApiError("unknown_campaign", parameter="campaign_id")
        return _page_of(rows, page)

    return release.remembered.body(("campaign_performance", campaign_id, page), work)


def daily_activity(release: OpenRelease, conditions: Sequence[Condition], page: Page) -> bytes:
    """What happened on each day in each channel."""
    question = ("daily_activity", *conditions, page)
    return release.remembered.body(
        question, lambda: _page_of(_rows(release, "daily_activity", conditions, page), page)
    )


def _rows(
    release: OpenRelease, table: str, conditions: Sequence[Condition], page: Page
) -> list[dict[str, Any]]:
    """One row more than the page holds, which tells whether another page follows."""
    declared = aggregate(table)
    asked = [condition for condition in conditions if condition.value is not None]
    where = (
        " AND ".join(f'"{asked.column}" {asked.operator} $value{i}' for i, asked in enumerate(asked))
        or "TRUE"
    )
    columns = ", ".join(f'"{column}"' for column in declared.column_names)
    # The key makes the order total, so that pages neither repeat nor skip a row.
    order = ", ".join([f'"{declared.column(page.sort).name}" {page.order} NULLS LAST', *declared.key])
    sql = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order} LIMIT $limit OFFSET $offset"  # noqa: S608
    values = {f"value{i}": condition.value for i, condition in enumerate(asked)}
    return release.rows(sql, [table], {**values, "limit": page.limit + 1, "offset": page.offset})


def _page_of(rows: Sequence[dict[str, Any]], page: Page) -> bytes:
    more = len(rows) > page.limit
    return responses.to_json(
        {"items": rows[: page.limit], "next_offset": page.offset + page.limit if more else None}
    )
