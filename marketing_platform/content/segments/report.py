"""The report of a release about its segments: which there are, and how many users each has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marketing_platform.content.segments.spec import Segment

SEGMENTS = "segments"


def report_of(
    declared: Mapping[str, Segment], counted: Iterable[Mapping[str, Any]], *, before: Mapping[str, int]
) -> dict[str, Any]:
    """Every declared segment, those without members too.

    Args:
        declared: By name.
        counted: Rows of `queries.counts_sql`.
        before: Users by segment, in the release that serves.
    """
    found = {row["segment"]: row for row in counted}
    return {
        SEGMENTS: [
            {
                "segment": name,
                "description": segment.description,
                "users": int(found[name]["users"]) if name in found else 0,
                "consenting": int(found[name]["consenting"]) if name in found else 0,
                "before": before.get(name),
            }
            for name, segment in declared.items()
        ]
    }
