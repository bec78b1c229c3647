"""Every landed file is in one release, none is served before its time, and releases are made alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.capacity_landing import (
    DAY,
    LONGEST_WAIT,
    LOOK,
    SETTLE,
    File,
    RunTime,
    day_of_files,
    simulated_day,
)

JUDGING, RELEASING = RunTime(2.0, 0.001), RunTime(20.0, 0.002)


def test_a_file_alone_takes_what_its_runs_take_and_what_looks_cost() -> None:
    file = File(landed=1.0, events=2_000)
    found = simulated_day([file], judging=JUDGING, releasing=RELEASING)
    # Still at 3, seen at 5, judged until 9, seen again at 10, released 24 s later.
    assert file.served == 34.0
    assert found.releases == 1
    assert found.p50 == found.p99 == 33.0


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0, 3_000), st.floats(1, 100_000)), min_size=1, max_size=40),
    st.floats(0.1, 200),
    st.floats(0.1, 200),
)
def test_each_file_is_served_once_and_not_before_its_time(
    landed: list[tuple[float, float]], judging: float, releasing: float
) -> None:
    files = [File(moment, events) for moment, events in landed]
    found = simulated_day(files, judging=RunTime(judging, 0), releasing=RunTime(releasing, 0))
    for file in files:
        assert file.served is not None
        assert file.served >= file.landed + SETTLE + judging + releasing - 1e-6
    ends = sorted({file.served for file in files if file.served})
    assert len(ends) == found.releases
    assert all(later - earlier >= releasing - 1e-6 for earlier, later in pairwise(ends))
    assert found.busy <= 1


def test_files_that_never_stop_coming_do_not_put_a_release_off_for_ever() -> None:
    files = [File(landed=float(2 * number), events=1) for number in range(2_000)]
    found = simulated_day(files, judging=RunTime(4, 0), releasing=RunTime(30, 0))
    assert found.releases > 1
    assert found.p99 <= LONGEST_WAIT + 2 * (30 + 4) + 3 * LOOK


def test_a_day_has_the_files_and_events_it_is_asked_for_and_a_busy_afternoon() -> None:
    files = day_of_files(2_000, 1e6)
    assert len(files) == 2_000
    assert sum(file.events for file in files) == pytest.approx(1e6)
    assert all(0 <= file.landed < DAY for file in files)
    afternoon = sum(DAY / 2 <= file.landed < DAY * 2 / 3 for file in files)
    night = sum(file.landed < DAY / 6 for file in files)
    assert afternoon > 4 * night
