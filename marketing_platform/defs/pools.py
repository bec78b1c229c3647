"""Pools: how many steps may write to a datastore at once, whatever runs they belong to.

A pool is named after the role that the datastore plays, as its IO manager is: `warehouse_io` stores
into the pool `warehouse`. Limits are the instance's (`dagster.servers.yaml`); Dagster on SQLite has
none, and runs one run at a time.
"""

from __future__ import annotations

from typing import TypedDict

import dagster as dg

POOLS = ("documents", "warehouse", "vectors", "graph", "answers")


class Stored(TypedDict):
    """What an asset is declared with so that it is stored in a datastore and counted in its pool."""

    io_manager_key: str
    pool: str


def stored_in(role: str) -> Stored:
    """`@dg.asset(**stored_in("warehouse"))`: its IO manager and its pool."""
    if role not in POOLS:
        raise ValueError(f"no datastore plays the role {role!r}; there are {', '.join(POOLS)}")
    return Stored(io_manager_key=f"{role}_io", pool=role)


def limit_pools(instance: dg.DagsterInstance) -> None:
    """Give every pool its limit now: of two runs that need a new pool at the same moment, one would fail.

    (Dagster 1.13 goes on in a transaction that PostgreSQL has aborted.)
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    known = {pool.name for pool in storage.get_pool_limits()}
    for pool in POOLS:
        if pool not in known:
            storage.initialize_concurrency_limit_to_default(pool)
