"""Pools: how many steps may write to a datastore at once, whatever runs they belong to.

A pool is named after the role that the datastore plays, as its IO manager is: `warehouse_io` stores
into the pool `warehouse`. Limits are the instance's (`dagster.servers.yaml`); Dagster on SQLite has
none, and runs one run at a time.
"""

from __future__ import annotations

from typing import TypedDict

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
