"""A release is refused for each single thing that does not hold, and the message names it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marketing_platform.errors import ReleaseRefused
from marketing_platform.releases.verification import Count, Evidence, Judged, Materialized, Rows, verify

CHECK = ("users", "unique")
SOUND = Evidence(
    assets=("events", "users"),
    materialized={
        "events": Materialized("events", 10, {}),
        "users": Materialized("users", 12, {"events": 10}),
    },
    declared=frozenset({CHECK}),
    defined=frozenset({CHECK}),
    judged={CHECK: Judged(*CHECK, event=12, passed=True, blocking=True)},
    counts=[Count("users", {"users": 5, "knowledge_graph": 5})],
    rows=[Rows("a.csv@1", 10, 8, 2)],
)


def test_sound_evidence_is_accepted() -> None:
    verify(SOUND)


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        (replace(SOUND, assets=("events", "users", "graph")), "graph was never materialized"),
        (
            replace(SOUND, materialized={**SOUND.materialized, "events": Materialized("events", 11, {})}),
            "users was computed from materialization 10 of events, whose latest is 11",
        ),
        (replace(SOUND, defined=frozenset()), "declared under expectations/ but not in the graph"),
        (
            replace(SOUND, defined=frozenset({CHECK, ("users", "extra")})),
            "check extra of users is in the graph but not declared",
        ),
        (replace(SOUND, judged={}), "check unique of users never ran"),
        (
            replace(SOUND, judged={CHECK: Judged(*CHECK, event=7, passed=True, blocking=True)}),
            "judged materialization 7, not the latest, 12",
        ),
        (
            replace(SOUND, judged={CHECK: Judged(*CHECK, event=12, passed=False, blocking=True)}),
            "check unique of users failed",
        ),
        (
            replace(SOUND, counts=[Count("users", {"users": 5, "knowledge_graph": 4})]),
            "disagree on users: users has 5, knowledge_graph has 4",
        ),
        (replace(SOUND, rows=[Rows("a.csv@1", 10, 8, 1)]), "batch a.csv@1: 10 rows landed"),
    ],
)
def test_each_fault_alone_refuses_the_release(evidence: Evidence, message: str) -> None:
    with pytest.raises(ReleaseRefused) as refused:
        verify(evidence)
    listed = [line for line in str(refused.value).splitlines() if line.startswith("  - ")]
    assert len(listed) == 1
    assert message in listed[0]
