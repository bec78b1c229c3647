"""What people see of a materialization in the Dagster UI: schemas, previews and plots."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pyarrow as pa

from marketing_platform.catalog import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HIDDEN = "•••"
_LONGEST_CELL = 80
_LONGEST_LABEL = 40  # longer ones leave no room for the bars


def column_schema(schema: pa.Schema, table: Table | None) -> dg.TableSchema:
    """The columns with type and description, where the catalog has one."""
    described = {column.name: column for column in table.columns} if table else {}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=described[field.name].description if field.name in described else None,
                tags={"personal": ""} if field.name in described and described[field.name].personal else {},
            )
            for field in schema
        ]
    )


def preview(rows: pa.Table, table: Table | None) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table; personal columns other than ids are hidden."""
    hidden = (
        {column.name for column in table.columns if column.personal and not column.name.endswith("_id")}
        if table
        else set()
    )
    return markdown_table(
        rows.column_names,
        [
            [_HIDDEN if name in hidden and row[name] is not None else row[name] for name in row]
            for row in rows.to_pylist()
        ],
    )


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MarkdownMetadataValue:
    """A Markdown table of any cells."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:,.4g}" if isinstance(value, float) else str(value)
    text = " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def bars(title: str, labels: Sequence[str], values: Sequence[float]) -> dg.MarkdownMetadataValue:
    """A horizontal bar per label."""

    def draw(axes: Axes) -> None:
        names = [
            label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…" for label in labels
        ]
        axes.barh(names[::-1], list(values)[::-1], color="#4f43dd")

    return _plot(title, draw, height=max(1.6, 0.28 * len(labels) + 0.9))


def line(title: str, x: Sequence[Any], y: Sequence[float]) -> dg.MarkdownMetadataValue:
    """One line over time."""

    def draw(axes: Axes) -> None:
        axes.plot(list(x), list(y), color="#4f43dd", linewidth=1.6)
        axes.set_ylim(bottom=0)
        axes.figure.autofmt_xdate()  # pyright: ignore[reportAttributeAccessIssue]

    return _plot(title, draw, height=2.6)


def lines(title: str, of: Mapping[str, Sequence[float]]) -> dg.MarkdownMetadataValue:
    """A line per name over the number of its values."""

    def draw(axes: Axes) -> None:
        for name, values in of.items():
            axes.plot(range(1, len(values) + 1), list(values), label=name, linewidth=1.4)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)

    return _plot(title, draw, height=2.8)


@dataclass(frozen=True)
class Banded:
    """Values by day, and between what they were or are expected to lie."""

    title: str
    days: Sequence[date]
    values: Sequence[float]
    band_days: Sequence[date]
    low: Sequence[float]
    high: Sequence[float]
    middle: Sequence[float] = ()  # of the band, where it goes on beyond the values
    marked: Sequence[date] = ()  # days whose values stand out


def banded(of: Banded) -> dg.MarkdownMetadataValue:
    """A line over time with a band, and days that stand out as points."""
    values = dict(zip(of.days, of.values, strict=True))

    def draw(axes: Axes) -> None:
        ahead = _days(of.band_days)
        axes.plot(_days(of.days), list(of.values), color="#4f43dd", linewidth=1.4)
        axes.fill_between(ahead, list(of.low), list(of.high), color="#4f43dd", alpha=0.15)
        if of.middle:
            axes.plot(ahead, list(of.middle), color="#4f43dd", linestyle="--", linewidth=1.2)
        axes.plot(_days(of.marked), [values[day] for day in of.marked], "o", color="#c2410c")
        axes.figure.autofmt_xdate()  # pyright: ignore[reportAttributeAccessIssue]

    return _plot(of.title, draw, height=2.6)


def intervals(
    title: str, of: Mapping[str, Sequence[tuple[date, float | None, float | None, float | None]]]
) -> dg.MarkdownMetadataValue:
    """Over time a line with its band per name: day, value, low, high; what is missing is not drawn."""

    def draw(axes: Axes) -> None:
        for name, steps in of.items():
            days = _days([day for day, *_ in steps])
            value, low, high = (np.array([step[at] for step in steps], float) for at in (1, 2, 3))
            (drawn,) = axes.plot(days, value, linewidth=1.4, label=name)
            axes.fill_between(days, low, high, color=drawn.get_color(), alpha=0.15)
        axes.axhline(0, color="#71717a", linewidth=0.8)
        axes.set_ylim(-1, 2)  # at first nearly nothing is ruled out
        axes.legend(fontsize=7, frameon=False)
        axes.figure.autofmt_xdate()  # pyright: ignore[reportAttributeAccessIssue]

    return _plot(title, draw, height=2.8)


def _days(days: Sequence[date]) -> Any:
    return np.array(days, dtype="datetime64[D]")


def histogram(title: str, values: Sequence[float] | Any) -> dg.MarkdownMetadataValue:
    """How values are distributed."""

    def draw(axes: Axes) -> None:
        axes.hist(values, bins=40, color="#4f43dd")

    return _plot(title, draw, height=2.4)


def _plot(title: str, draw: Any, *, height: float) -> dg.MarkdownMetadataValue:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw(axes)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=96)
    encoded = base64.b64encode(content.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")
