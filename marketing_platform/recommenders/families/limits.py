"""Up to which size each family is used: the one place that says so.

What families cost, and what they took when it was measured, is in docs/recommendations.md and
docs/benchmarks.md. A family that is not named here is used at every size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# EASE inverts a matrix of items by items up to here, and takes its sparse form above.
EASE_DENSE_ITEMS = 20_000


@dataclass(frozen=True)
class Limit:
    """The most users or items, and what stands against more."""

    most: int
    of: str  # "users" or "items"
    why: str
    per_item: int | None = None  # the most users for each item


_PAIRS = "all pairs of users with an item in common are compared"
LIMITS: Mapping[str, Limit] = {
    "slim": Limit(2_000, "items", "its time grows with the cube of items, forty times"),
    "user_neighbours": Limit(50_000, "users", _PAIRS, per_item=1_000),
}


def too_large(family: str, *, users: int, items: int) -> str | None:
    """Why the family is not used at this size, as the end of a sentence about it; None where it is."""
    limit = LIMITS.get(family)
    size = items if limit and limit.of == "items" else users
    if limit is None:
        return None
    if size > limit.most:
        return f"takes up to {limit.most:,} {limit.of}, not {size:,}: {limit.why}"
    if limit.per_item is not None and items and users > limit.per_item * items:
        return f"takes up to {limit.per_item:,} users per item, not {users / items:,.0f}: {limit.why}"
    return None
