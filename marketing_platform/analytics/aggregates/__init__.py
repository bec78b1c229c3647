"""Reads the aggregate declarations that lie in this folder."""

from __future__ import annotations

import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import yaml
from pydantic import Field

from marketing_platform.catalog import Table
from marketing_platform.catalog.registry import declared_in

_FOLDER = Path(__file__).parent
_WEIGHTS = _FOLDER.parent / "engagement.yaml"
_LOCAL_DAY = re.compile(r"local_day\(([a-z_.]+)\)")


class Aggregate(Table):
    """A table computed by one query over other tables."""

    reads: tuple[str, ...] = Field(min_length=1)
    sql: str

    @property
    def query(self) -> str:
        """The SQL with days that begin at midnight UTC, as `query_in` gives it."""
        return self.query_in("UTC")

    def query_in(self, time_zone: str) -> str:
        """The SQL, with the engagement weights in reach when it asks for them.

        `local_day(moment)` in it becomes the day of a moment in the time zone (a name of the IANA database).
        """
        sql = _LOCAL_DAY.sub(lambda found: _day_of(found[1], time_zone), self.sql)
        return with_engagement_weights(sql) if "engagement_weights" in sql else sql


def with_engagement_weights(sql: str) -> str:
    """A query with the table `engagement_weights` (event_type, weight) in reach."""
    # Decimals, so that a sum is the same in whatever order an engine adds it up.
    rows = " UNION ALL ".join(
        f"SELECT '{event_type}' AS event_type, CAST({weight} AS DECIMAL(9, 3)) AS weight"
        for event_type, weight in engagement_weights().items()
    )
    own = sql.removeprefix("WITH ")
    return f"WITH engagement_weights AS ({rows}){',' if own != sql else ''}\n{own}"


@cache
def engagement_weights() -> dict[str, float]:
    """What each event type weighs."""
    return yaml.safe_load(_WEIGHTS.read_text(encoding="utf-8"))["weights"]


@cache
def aggregates() -> dict[str, Aggregate]:
    """Every aggregate by name, each after those it reads."""
    declared = declared_in(_FOLDER, Aggregate)
    reads = {name: [read for read in one.reads if read in declared] for name, one in declared.items()}
    return {name: declared[name] for name in TopologicalSorter(reads).static_order()}


def aggregate(name: str) -> Aggregate:
    """The aggregate `name`."""
    return aggregates()[name]


def _day_of(moment: str, time_zone: str) -> str:
    if time_zone == "UTC":
        return f"CAST({moment} AS DATE)"
    return f"CAST({moment} AT TIME ZONE '{time_zone}' AS DATE)"
