"""What a table is judged by: one row of figures about it, computed inside the warehouse.

A table rule is an expectation over this row, so that judging ten million rows costs one query in
DuckDB's dialect (sqlglot translates it) and nothing but figures leaves the engine. Which figures
are good is said in `expectations/`.
"""

from __future__ import annotations

from collections.abc import Iterator

from marketing_platform.catalog import Column, ColumnType, Table

ROWS = "rows"
BATCH_PROFILE = (
    "rows_landed",
    "rows_valid",
    "rows_quarantined",
    "share_valid",
    "unreadable",
    "not_conserved",
)

_NUMBERS = {ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.MONEY}
_MOMENTS = {ColumnType.DATE, ColumnType.TIMESTAMP}


def profile_columns(table: Table) -> tuple[str, ...]:
    """The figures that a rule about `table` may name."""
    return tuple(name for name, _ in _figures(table))


def profile_sql(table: Table) -> str:
    """One SELECT that returns the profile of `table` as one row; the parameter `$now` is a moment (UTC).

    Figures: `rows`; for each column `<column>__nulls` and `<column>__null_share` (0..1, 0 for an
    empty table); `key__duplicates` (rows beyond the first of their key) and
    `key__duplicate_share`; for dates and moments `<column>__min`, `__max` and `__days_ahead` (the
    newest value minus now, in days); for numbers `__min`, `__max` and `__sum`. What an empty table
    does not have is NULL, and rules do not mind NULL: an input that is absent breaks none.
    """
    figures = ",\n  ".join(f'{expression} AS "{name}"' for name, expression in _figures(table))
    return f'SELECT\n  {figures}\nFROM "{table.name}"'


def batch_profile(*, landed: int, valid: int, quarantined: int, unreadable: int) -> dict[str, float]:
    """The figures by which a batch is admitted; an object without records is wholly valid.

    `unreadable` counts the records whose defect starts with `unreadable`.
    """
    return {
        "rows_landed": landed,
        "rows_valid": valid,
        "rows_quarantined": quarantined,
        "share_valid": valid / landed if landed else 1.0,
        "unreadable": unreadable,
        "not_conserved": landed - valid - quarantined,
    }


def _figures(table: Table) -> Iterator[tuple[str, str]]:
    keys = ", ".join(f'"{column}"' for column in table.key)
    # A distinct subquery counts keys of several columns on every engine, and NULL as a value.
    distinct = f'(SELECT count(*) FROM (SELECT DISTINCT {keys} FROM "{table.name}") AS keys)'  # noqa: S608
    # The parameter is used even where no column holds a moment, so that callers may always give it.
    yield "profiled_at", "CAST($now AS TIMESTAMP WITH TIME ZONE)"
    yield ROWS, "count(*)"
    yield "key__duplicates", f"count(*) - {distinct}"
    yield "key__duplicate_share", _share(f"(count(*) - {distinct})")
    for column in table.columns:
        yield from _column_figures(column)


def _column_figures(column: Column) -> Iterator[tuple[str, str]]:
    quoted = f'"{column.name}"'
    nulls = f"(count(*) - count({quoted}))"
    yield f"{column.name}__nulls", nulls
    yield f"{column.name}__null_share", _share(nulls)
    if column.type in _MOMENTS:
        yield f"{column.name}__min", f"min({quoted})"
        yield f"{column.name}__max", f"max({quoted})"
        yield f"{column.name}__days_ahead", _days_ahead(column)
    if column.type in _NUMBERS:
        for function in ("min", "max", "sum"):
            yield f"{column.name}__{function}", f"CAST({function}({quoted}) AS DOUBLE)"


def _share(count: str) -> str:
    return f"coalesce(CAST({count} AS DOUBLE) / nullif(count(*), 0), 0)"


def _days_ahead(column: Column) -> str:
    if column.type is ColumnType.DATE:
        return f"date_diff('day', CAST($now AS DATE), max(\"{column.name}\"))"
    return f"date_diff('second', CAST($now AS TIMESTAMP WITH TIME ZONE), max(\"{column.name}\")) / 86400.0"
