"""How rows of the aggregates look in an answer; their columns are declared with the aggregates."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from marketing_platform.analytics import aggregate
from marketing_platform.catalog import Column, ColumnType
from serving import responses

_PYTHON: dict[ColumnType, Any] = {
    ColumnType.STRING: str,
    ColumnType.INTEGER: int,
    ColumnType.NUMBER: Annotated[float, Field(allow_inf_nan=False)],
    ColumnType.MONEY: Annotated[float, Field(allow_inf_nan=False)],
    ColumnType.BOOLEAN: bool,
    ColumnType.DATE: date,
    ColumnType.TIMESTAMP: datetime,
}
_EXAMPLES: dict[ColumnType, Any] = {
    ColumnType.STRING: "email",
    ColumnType.INTEGER: 12,
    ColumnType.NUMBER: 0.25,
    ColumnType.MONEY: 129.5,
    ColumnType.BOOLEAN: True,
    ColumnType.DATE: "2026-11-20",
    ColumnType.TIMESTAMP: "2026-11-20T18:04:11Z",
}
_NAMED_EXAMPLES = {"user_id": "u-0001", "campaign_id": "c-07", "name": "Winter coats"}


def _field(column: Column, *, required: bool) -> Any:
    kind = _PYTHON[column.type] if required else _PYTHON[column.type] | None
    return (kind, Field(description=column.description, examples=[_example(column)]))


def _example(column: Column) -> Any:
    return _NAMED_EXAMPLES.get(column.name, _EXAMPLES[column.type])


def _page_model(table: str) -> type[BaseModel]:
    """The answer `{release_id, …, items, next_offset}` with a row model made from the declaration."""
    declared = aggregate(table)
    title = table.title().replace("_", "")
    fields: dict[str, Any] = {
        column.name: _field(column, required=column.name in declared.key) for column in declared.columns
    }
    row = create_model(
        f"{title}Row", __config__=ConfigDict(extra="forbid"), __doc__=declared.description, **fields
    )
    rows: Any = tuple.__class_getitem__((row, ...))
    following: Any = (
        int | None,
        Field(description="Offset of the next page; null on the last.", examples=[None]),
    )
    return create_model(
        f"{title}Answer",
        __base__=responses.Answer,
        __doc__=declared.description,
        items=(rows, Field(description="The rows, in the order asked for.")),
        next_offset=following,
    )


def example(table: str) -> dict[str, Any]:
    """An answer with one row."""
    row = {column.name: _example(column) for column in aggregate(table).columns}
    return {**responses.head_example(), "items": [row], "next_offset": None}


UserEngagementAnswer = _page_model("user_engagement")
CampaignPerformanceAnswer = _page_model("campaign_performance")
DailyActivityAnswer = _page_model("daily_activity")
