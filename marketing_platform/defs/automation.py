"""When things happen by themselves: conditions on assets, sensors, schedules."""

from __future__ import annotations

import dagster as dg


def follow_upstream() -> dg.AutomationCondition[dg.AssetKey]:
    """Materialize when something upstream is newer, and its blocking checks passed."""
    return dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
