"""Figures: the aggregates of a release and the report about them.

Each aggregate is one file under `aggregates/`: its SQL, written once in DuckDB's dialect, and its
columns. What an event weighs is in `engagement.yaml`. Nothing here runs SQL: assets hand it to
the warehouse.
"""

from marketing_platform.analytics.aggregates import Aggregate, aggregate, aggregates

__all__ = ["Aggregate", "aggregate", "aggregates"]
