"""The arithmetic of machines, and what it is fed with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.capacity_constants import STORES, load_constants
from benchmarks.capacity_model import (
    Demand,
    Driver,
    Machine,
    StageCost,
    cpu_seconds,
    fitted,
    for_bytes,
    for_memory,
    for_requests,
    for_runs,
)

MACHINE = Machine(cores=10, memory_gb=100, disk_gb=1_000, usable=0.5)
DEMAND = Demand(1e6, 1e8, 2_000, messages_per_event=0.5, texts_per_message=0.1, years_kept=2)
_AMOUNT = st.floats(0.001, 1e12)


def test_figures_are_those_worked_out_by_hand() -> None:
    requests = for_requests(DEMAND, 4.0, MACHINE)  # 8 cores busy, 5 of each machine
    assert (requests.machines, requests.all) == (2, 3)
    assert "= 8.0 cores busy" in requests.arithmetic
    assert for_runs("all", 3600 * 11, 3600, MACHINE).machines == 3
    assert for_bytes("rows", {"events": (1e9, 400.0), "users": (1e8, 1_000.0)}, 2, MACHINE).machines == 2
    assert for_memory("vectors", 1e8, 1_000.0, 2, MACHINE).machines == 4


def test_what_is_held_follows_from_the_demand() -> None:
    assert DEMAND.held == {Driver.EVENTS: 2e8, Driver.USERS: 1e6, Driver.TEXTS: 1e7}
    assert DEMAND.messages == 1e8
    stages = {"a": StageCost(Driver.EVENTS, 5.0, 1e-6), "b": StageCost(Driver.USERS, 0.0, 1e-3)}
    assert cpu_seconds(stages, DEMAND.held) == pytest.approx(5 + 200 + 1_000)


@given(_AMOUNT, st.floats(1, 1e5), st.integers(1, 5))
def test_so_many_machines_are_enough_and_one_less_is_not(count: float, each: float, copies: int) -> None:
    needed, usable = count * each * copies / 1e9, MACHINE.disk_gb * MACHINE.usable
    machines = for_bytes("rows", {"rows": (count, each)}, copies, MACHINE).machines
    assert (machines - 1) * usable * (1 - 1e-9) <= needed <= machines * usable * (1 + 1e-9)


@given(st.floats(0, 1e4), st.floats(0, 1), st.floats(1, 1e6), st.floats(1.5, 100))
def test_a_line_is_found_again(fixed: float, each: float, few: float, times: float) -> None:
    line = StageCost(Driver.EVENTS, fixed, each)
    many = few * times
    points = [(amount, line.of({Driver.EVENTS: amount})) for amount in (few, many)]
    found = fitted(Driver.EVENTS, points[1], points[0])
    for amount, seconds in points:
        assert found.of({Driver.EVENTS: amount}) == pytest.approx(seconds, rel=1e-6, abs=1e-6)


@given(st.floats(1, 1e6), st.floats(1.5, 100), st.floats(0, 1e5), st.floats(0, 1e5))
def test_no_cost_is_ever_negative_nor_less_than_at_the_larger_size(
    few: float, times: float, before: float, after: float
) -> None:
    found = fitted(Driver.USERS, (few, before), (few * times, after))
    assert found.fixed >= 0
    assert found.each >= 0
    assert found.of({Driver.USERS: few * times}) >= after * (1 - 1e-9)


def test_one_size_makes_no_line() -> None:
    with pytest.raises(ValueError, match="two sizes are needed"):
        fitted(Driver.TEXTS, (10, 1), (10, 2))


def test_the_constants_on_file_are_whole() -> None:
    constants = load_constants()
    assert constants.bytes.keys() == STORES.keys()
    assert all(size > 0 for size in constants.bytes.values())
    assert 0 < constants.messages_per_event <= 1
    assert 0 < constants.texts_per_message <= 1
    assert constants.full.keys() >= {"raw_records", "validate_batches", "text_embeddings"}
    for question in constants.api.questions.values():
        assert list(question.quantiles_ms) == sorted(question.quantiles_ms)
    assert all(load.failed == 0 for load in constants.api.loads)
