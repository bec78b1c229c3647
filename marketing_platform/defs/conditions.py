"""When an asset is materialized by itself."""

from __future__ import annotations

from typing import Any

import dagster as dg


def follow_upstream(*, apart_from: str | None = None) -> dg.AutomationCondition[Any]:
    """Materialize when something upstream is newer, and its blocking checks passed.

    A run of the whole graph leaves nothing to do: everything is newer than what it read. The
    condition acts when a person materializes one table in the UI. It begins below
    `admitted_batches`: what follows a judged batch is up to the sensor `publish_admitted`, which
    knows whether it was admitted. `apart_from` is an asset above that need not be there and that
    nothing follows at once.
    """
    follow = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
    return follow.ignore(dg.AssetSelection.assets(apart_from)) if apart_from else follow
