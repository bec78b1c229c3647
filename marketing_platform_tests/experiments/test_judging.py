"""What follows from counts by day: figures, sizes that do not fit, winners, and ends before time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from marketing_platform.experiments.counting import MIXED, USERS
from marketing_platform.experiments.judging import Result, judge
from marketing_platform.experiments.spec import Declarations, Experiment
from marketing_platform_tests.experiments.declaring import METRICS, experiment

FIRST = date(2026, 11, 1)
GUARDED = {
    "guardrails": [{"metric": "unsubscribe", "worse_by": 0.2}],
    "arms": [{"arm": "a", "weight": 1}, {"arm": "b", "weight": 1}],
}
EVEN: dict[str, Any] = {"arms": GUARDED["arms"]}


def rows(arm: str, counted: str, *users: int) -> list[dict[str, Any]]:
    """New users of an arm on consecutive days."""
    return [
        {
            "experiment": "e",
            "arm": arm,
            "day": FIRST + timedelta(days=at),
            "counted": counted,
            "users": number,
        }
        for at, number in enumerate(users)
        if number
    ]


def judged(of: Experiment, *counted: list[dict[str, Any]], today: date = FIRST) -> Result:
    (result,) = judge(
        Declarations((of,), None, METRICS), [row for part in counted for row in part], today=today
    )
    return result


def test_rates_lifts_and_intervals_add_up() -> None:
    result = judged(
        experiment(**EVEN),
        rows("a", USERS, 600, 400),
        rows("b", USERS, 500, 500),
        rows("a", "purchase", 40, 60),
        rows("b", "purchase", 80, 80),
    )
    a, b = result.arms
    assert (a.control, a.users, a.metrics[0].rate, a.metrics[0].lift) == (True, 1_000, 0.1, None)
    (compared,) = b.metrics
    assert (compared.converted, compared.rate, compared.lift) == (160, 0.16, pytest.approx(0.6))
    assert compared.low is not None
    assert compared.high is not None
    assert 0 < compared.low < 0.6 < compared.high
    assert compared.p is not None
    assert 0 < compared.p < 0.05
    assert [(step.day, step.arm) for step in result.path] == [(FIRST, "b"), (FIRST + timedelta(days=1), "b")]
    assert (result.path[-1].low, result.path[-1].high) == (compared.low, compared.high)


def test_without_data_everything_waits() -> None:
    result = judged(experiment())
    assert (result.users, result.first_day, result.mismatch_p, result.decision) == (0, None, None, None)
    assert [arm.metrics[0].rate for arm in result.arms] == [None, None]
    assert result.path == []


@pytest.mark.parametrize(
    ("today", "status"),
    [(date(2026, 10, 31), "waiting"), (FIRST, "running"), (date(2026, 12, 1), "over")],
    ids=str,
)
def test_an_experiment_waits_runs_and_is_over(today: date, status: str) -> None:
    assert judged(experiment(), today=today).status == status


def test_users_in_two_arms_are_counted() -> None:
    result = judged(experiment(**EVEN), rows("a", USERS, 10), rows("b", USERS, 10), rows("b", MIXED, 3))
    assert (result.users, result.mixed) == (20, 3)


def test_no_winner_is_found_among_arms_that_are_not_as_large_as_drawn() -> None:
    """What made them so may have made the difference, too."""
    won = dict(automatic_winner=True, **EVEN)
    bought = rows("a", "purchase", 200), rows("b", "purchase", 500)
    fitting = judged(experiment(**won), rows("a", USERS, 5_000), rows("b", USERS, 5_000), *bought)
    skewed = judged(experiment(**won), rows("a", USERS, 5_200), rows("b", USERS, 4_800), *bought)
    assert (fitting.mismatched, fitting.status) == (False, "winner")
    assert (skewed.mismatched, skewed.status, skewed.decision) == (True, "running", None)


def test_the_winner_stays_with_the_day_on_which_it_was_clear() -> None:
    """Whatever comes after: who decides anew of more data decides the same."""
    users = rows("a", USERS, 1_000, 1_000, 1_000), rows("b", USERS, 1_000, 1_000, 1_000)
    clear = rows("a", "purchase", 50, 50), rows("b", "purchase", 80, 150)
    later = rows("a", "purchase", 0, 0, 700)
    then, now = (
        judged(experiment(automatic_winner=True, **EVEN), *users, *clear, *more) for more in ([], [later])
    )
    assert then.decision == now.decision
    assert then.decision is not None
    assert (then.decision.outcome, then.decision.arm) == ("winner", "b")
    assert then.decision.day == FIRST + timedelta(days=1)
    assert "purchase of b" in then.decision.reason
    assert judged(experiment(**EVEN), *users, *clear).decision is None  # only where it is declared


def test_control_wins_when_every_other_arm_is_worse() -> None:
    arms = {"arms": [{"arm": name, "weight": 1} for name in "abc"]}
    users = [rows(name, USERS, 3_000) for name in "abc"]
    one_worse = *users, rows("a", "purchase", 500), rows("b", "purchase", 200), rows("c", "purchase", 480)
    both_worse = *users, rows("a", "purchase", 500), rows("b", "purchase", 200), rows("c", "purchase", 250)
    assert judged(experiment(automatic_winner=True, **arms), *one_worse).decision is None
    decision = judged(experiment(automatic_winner=True, **arms), *both_worse).decision
    assert decision is not None
    assert (decision.outcome, decision.arm) == ("winner", "a")


def test_a_guardrail_stops_only_what_is_surely_worse_than_it_bears() -> None:
    """A fifth worse is borne: twice as bad is not, and neither a better purchase nor luck outweighs it."""
    users = rows("a", USERS, 5_000), rows("b", USERS, 5_000)
    better = rows("a", "purchase", 100), rows("b", "purchase", 400)

    def left(of_b: int, of_a: int = 200) -> Result:
        lost = rows("a", "unsubscribe", of_a), rows("b", "unsubscribe", of_b)
        return judged(experiment(automatic_winner=True, **GUARDED), *users, *better, *lost)

    assert left(400).status == "stopped"
    assert left(400).decision.arm == "a"  # pyright: ignore[reportOptionalMemberAccess]
    assert "20% worse" in left(400).decision.reason  # pyright: ignore[reportOptionalMemberAccess]
    assert left(250).status == "winner"
    assert left(20, 10).status == "winner"  # twice as many of few: may be luck
    assert left(100).status == "winner"


@pytest.mark.slow
def test_looking_every_day_stops_or_crowns_arms_that_do_not_differ_in_few_cases() -> None:
    """A/A over 40 days with a guardrail and an automatic winner: two chances of 5 % to be wrong."""
    rng = np.random.default_rng(4)
    decided = 0
    for _ in range(150):
        users = rng.multinomial(200, [0.5, 0.5], size=40)
        of = experiment(automatic_winner=True, **GUARDED)
        counted = [rows(arm, USERS, *map(int, users[:, at])) for at, arm in enumerate("ab")]
        for metric, rate in (("purchase", 0.1), ("unsubscribe", 0.03)):
            counted += [
                rows(arm, metric, *map(int, rng.binomial(users[:, at], rate))) for at, arm in enumerate("ab")
            ]
        decided += judged(of, *counted).decision is not None
    assert decided <= 15
