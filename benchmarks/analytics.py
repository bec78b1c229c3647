"""How fast figures are: `python -m benchmarks.analytics`, or `make bench-analytics`.

A KPI by two dimensions with comparison over 1M and 10M rows: the engine and SQL written by hand for that
question, over the same Parquet file, in one process, in turns. Then one API process over a release with 1M
rows, and simultaneous clients that look at a dashboard. Prints a table and, as its last line, one JSON
object. What clients do is said in `analytics_clients.py`, the rows are made in `analytics_data.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from benchmarks import analytics_clients, analytics_data
from benchmarks.page import Section, prose, wanted, write
from benchmarks.page import table as page_table
from benchmarks.pairs import Figures, timed_in_turns
from marketing_platform.analytics.kpis import Period, Question, answer, coverage_of, load_registry
from marketing_platform.settings import PROJECT_DIR
from marketing_platform.stores.protocols import Select
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse
from serving.duckdb_sharing import shared_duckdb

_MEMORY = "2GB"
_YEAR = Period(date(2025, 1, 1), date(2025, 12, 30))  # with the one before: all rows there are
_DIMENSIONS = ("country", "device")
# What somebody would write who knows that there is one currency, one level and no conversion without a value.
_BY_HAND = """
WITH sums AS (
  SELECT country, device, day BETWEEN $first AND $last AS now,
         SUM(spend) AS spend, SUM(conversions) AS conversions, SUM(revenue) AS revenue
  FROM read_parquet($file)
  WHERE fact = 'ads'
    AND (day BETWEEN $first AND $last OR day BETWEEN $first_before AND $last_before)
  GROUP BY ALL
), sides AS (
  SELECT country, device,
         SUM(spend) FILTER (now) AS spend, SUM(conversions) FILTER (now) AS conversions,
         SUM(revenue) FILTER (now) AS revenue, SUM(spend) FILTER (NOT now) AS spend_before,
         SUM(conversions) FILTER (NOT now) AS conversions_before,
         SUM(revenue) FILTER (NOT now) AS revenue_before
  FROM sums GROUP BY ALL
)
SELECT country, device, spend / NULLIF(conversions, 0) AS cac,
       spend_before / NULLIF(conversions_before, 0) AS cac_before,
       revenue / NULLIF(spend, 0) AS roas, revenue_before / NULLIF(spend_before, 0) AS roas_before
FROM sides ORDER BY country, device"""

console = Console(stderr=True)


def compared(folder: Path, rows: int, rounds: int) -> Figures:
    """The engine beside SQL written by hand; both give the same figures, or this fails."""
    warehouse = DuckDBWarehouse(folder, connect=shared_duckdb(_MEMORY))
    made = analytics_data.make(warehouse, rows, str(rows))
    registry = load_registry(PROJECT_DIR / "kpis")

    def ask(sql: str, tables: Any, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return warehouse.query(Select(sql, [made[name].ref for name in tables], parameters)).to_pylist()

    started = time.perf_counter()
    coverage = coverage_of(ask)  # once per release, as the API does
    opened = time.perf_counter() - started
    question = Question(("cac", "roas"), _YEAR, _YEAR.year_before(), by=_DIMENSIONS)
    by_hand = duckdb.connect(config={"memory_limit": _MEMORY})
    (file,) = folder.glob("kpi_daily/*.parquet")
    parameters = {
        "file": str(file),
        **{"first": _YEAR.first, "last": _YEAR.last},
        **{"first_before": _YEAR.year_before().first, "last_before": _YEAR.year_before().last},
    }
    found: dict[str, list[Any]] = {}

    def ours() -> float:
        started = time.perf_counter()
        lines = answer(registry, question, ask, coverage).lines
        taken = time.perf_counter() - started
        found["ours"] = [
            (*line.key, *(figure for kpi in ("cac", "roas") for figure in _figures(line.values[kpi])))
            for line in lines
        ]
        return taken

    def theirs() -> float:
        started = time.perf_counter()
        found["theirs"] = by_hand.execute(_BY_HAND, parameters).fetchall()
        return time.perf_counter() - started

    ours()  # neither side pays for what is read from disk first
    theirs()
    figures = timed_in_turns(
        f"kpi_{rows // 1_000_000}m",
        f"CAC and ROAS by {' and '.join(_DIMENSIONS)}, a year against the one before",
        rows,
        ours=ours,
        theirs=theirs,
        rounds=rounds,
    )
    by_hand.close()
    _check(found["ours"], found["theirs"])
    console.print(f"{rows:,} rows: what days and levels there are is read in {opened * 1000:.0f} ms, once")
    return figures


def _figures(value: Any) -> tuple[float | None, float | None]:
    return value.value, value.before


def _check(ours: list[Any], theirs: list[Any]) -> None:
    assert len(ours) == len(theirs) == analytics_data.COUNTRIES * analytics_data.DEVICES
    for mine, other in zip(ours, theirs, strict=True):
        assert mine[:2] == other[:2]
        assert all(abs(a - float(b)) < 1e-9 * abs(a) for a, b in zip(mine[2:], other[2:], strict=True))


def section(
    compared_at: Sequence[Figures], seen: analytics_clients.Seen | None, rounds: int
) -> tuple[str, ...]:
    """What the page says: both engines, then the clients unless they were left out."""
    told = f"""The engine and SQL written by hand for the same question, over the same Parquet file, rows in
        order of days, in one process, in turns; the best of {rounds} rounds. The question is
        {compared_at[0].what}, which is nearly all rows; a short period, which rows in order of days are meant
        for, was not measured."""
    lines = [
        [
            f"{one.amount:,}",
            f"{one.seconds * 1e3:.0f} ms",
            f"{one.reference_seconds * 1e3:.0f} ms",
            f"{one.ratio:.2f}",
        ]
        for one in compared_at
    ]
    engines = prose(told), page_table(("rows", "engine", "SQL by hand", "times"), lines)
    return engines if seen is None else (*engines, *seen.section())


def main() -> None:
    """Run what is asked for and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md as well")
    options = parser.parse_args()
    load, compared_at, seen = wanted(), list[Figures](), None
    result: dict[str, float | None] = {}
    table = Table("rows", "question", "engine, ms", "by hand, ms", "ratio")
    for rows in options.rows:
        with TemporaryDirectory(prefix="bench-analytics-") as folder:
            figures = compared(Path(folder), rows, options.rounds)
        compared_at.append(figures)
        result[f"{figures.key.replace('kpi_', 'kpi_ratio_')}"] = round(figures.ratio, 3)
        table.add_row(
            f"{rows:,}",
            figures.what,
            f"{figures.seconds * 1000:.1f}",
            f"{figures.reference_seconds * 1000:.1f}",
            f"{figures.ratio:.2f}",
        )
    console.print(table)
    if options.clients:
        with TemporaryDirectory(prefix="bench-analytics-") as folder:
            seen = analytics_clients.measured(Path(folder), options.clients, options.seconds)
        console.print(seen.told())
        result["clients_p95_s"] = round(seen.at(0.95), 3)
    if options.write_docs:
        write(Section.FIGURES, *section(compared_at, seen, options.rounds), load=load)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
