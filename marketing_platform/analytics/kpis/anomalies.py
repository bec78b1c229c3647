"""Days on which a KPI was far outside its own history, found in a release and told to people and programs.

What is watched is declared in `kpis/workspace.yaml`; how a day is judged is in `outliers.py`. Sending what
was found somewhere belongs to those who send.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Anomaly:
    """One day of one KPI that its own history did not let expect."""

    kpi: str  # identifier in the registry
    dimension: str | None  # None: the figure of everything
    member: str | None  # the value of the dimension; None as well where the data does not say
    day: date
    value: float
    expected: float  # the middle of what was expected, in the unit of the KPI
    low: float  # value lies below low or above high
    high: float
