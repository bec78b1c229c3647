"""Reads the aggregate declarations that lie in this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import Field

from marketing_platform.catalog import Table
from marketing_platform.catalog.registry import declared_in

_FOLDER = Path(__file__).parent
_WEIGHTS = _FOLDER.parent / "engagement.yaml"


class Aggregate(Table):
    """A table computed by one query over other tables."""

    reads: tuple[str, ...] = Field(min_length=1)
    sql: str

    @property
    def query(self) -> str:
        """The SQL, with the engagement weights in reach when it asks for them."""
        if "engagement_weights" not in self.sql:
            return self.sql
        # Decimals, so that a sum is the same in whatever order an engine adds it up.
        rows = " UNION ALL ".join(
            f"SELECT '{event_type}' AS event_type, CAST({weight} AS DECIMAL(9, 3)) AS weight"
            for event_type, weight in engagement_weights().items()
        )
        own = self.sql.removeprefix("WITH ")
        return f"WITH engagement_weights AS ({rows}){',' if own != self.sql else ''}\n{own}"


@cache
def engagement_weights() -> dict[str, float]:
    """What each event type weighs."""
    return yaml.safe_load(_WEIGHTS.read_text(encoding="utf-8"))["weights"]


@cache
def aggregates() -> dict[str, Aggregate]:
    """Every aggregate by name."""
    return declared_in(_FOLDER, Aggregate)


def aggregate(name: str) -> Aggregate:
    """The aggregate `name`."""
    return aggregates()[name]
