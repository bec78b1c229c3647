"""Who is in which arm: drawn, first seen, held out or decided."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from marketing_platform.experiments.assigning import Assignment, Decision, Experiments
from marketing_platform.experiments.judging import judge
from marketing_platform.experiments.released import experiments_of, report_of
from marketing_platform.experiments.spec import Declarations, Experiment, Holdout
from marketing_platform_tests.experiments.declaring import METRICS, experiment

DAY = date(2026, 11, 10)
MANY = [f"u-{number:06d}" for number in range(20_000)]


def experiments(*declared: Experiment, holdout: Holdout | None = None, **known: Any) -> Experiments:
    return Experiments(Declarations(declared, holdout), known.pop("decisions", {}), **known)


def assigned(of: Experiments, user: str, day: date = DAY, about: str = "welcome") -> Assignment | None:
    return of.assign(surface="email", about=about, user_id=user, day=day)


def arms(of: Experiments, users: list[str] = MANY) -> Counter[str]:
    found = (assigned(of, user) for user in users)
    return Counter(one.variant if one else "(none)" for one in found)


def test_arms_are_as_large_as_their_weights_say() -> None:
    counts = arms(experiments(experiment()))
    assert chisquare([counts["a"], counts["b"]], [5_000, 15_000]).pvalue > 0.001
    covered = arms(experiments(experiment(coverage=0.1)))
    assert chisquare([covered["a"], covered["b"], covered["(none)"]], [500, 1_500, 18_000]).pvalue > 0.001


def test_two_experiments_draw_independently() -> None:
    one, other = experiments(experiment("e")), experiments(experiment("f"))
    both = Counter((assigned(one, user).variant, assigned(other, user).variant) for user in MANY)  # pyright: ignore[reportOptionalMemberAccess]
    expected = {("a", "a"): 1_250, ("a", "b"): 3_750, ("b", "a"): 3_750, ("b", "b"): 11_250}
    assert chisquare([both[pair] for pair in expected], list(expected.values())).pvalue > 0.001


@pytest.mark.parametrize(
    ("day", "takes_part"),
    [
        (date(2026, 10, 31), False),
        (date(2026, 11, 1), True),
        (date(2026, 11, 30), True),
        (date(2026, 12, 1), False),
    ],
    ids=str,
)
def test_only_from_the_first_day_to_the_last(day: date, takes_part: bool) -> None:
    assert (assigned(experiments(experiment()), "u", day) is not None) is takes_part
    assert assigned(experiments(experiment(ends=None)), "u", date(2030, 1, 1)) is not None


def test_only_about_what_it_is_about() -> None:
    of = experiments(experiment())
    assert assigned(of, "u", about="farewell") is None
    assert of.assign(surface="recommendations", about="welcome", user_id="u", day=DAY) is None


def test_nobody_is_in_two_experiments_of_one_namespace() -> None:
    halves = [
        experiment("e", namespace={"id": "n", "from": 0, "to": 0.5}),
        experiment("f", namespace={"id": "n", "from": 0.5, "to": 1}),
    ]
    found = Counter(one.experiment for user in MANY if (one := assigned(experiments(*halves), user)))
    assert sum(found.values()) == len(MANY)
    for one in halves:
        alone = [assigned(experiments(one), user) for user in MANY]
        assert sum(each is not None for each in alone) == found[one.name]


def test_the_holdout_is_in_no_experiment_and_the_others_stay_where_they_were() -> None:
    without, held = experiments(experiment()), experiments(experiment(), holdout=Holdout(share=0.1, seed="h"))
    out = {user for user in MANY if held.held_out(user)}
    assert chisquare([len(out), len(MANY) - len(out)], [2_000, 18_000]).pvalue > 0.001
    for user in MANY[:2_000]:
        assert assigned(held, user) == (None if user in out else assigned(without, user))


def test_who_was_in_an_arm_stays_there_whatever_is_declared_now() -> None:
    """Weights, coverage and the part of the namespace were changed."""
    moved = {"u-1": "a", "u-2": "b", "u-3": "no such arm"}
    now = experiment(coverage=1e-9, namespace={"id": "n", "from": 0, "to": 1e-6})
    of = experiments(now, first_arm=lambda name, user: moved.get(user) if name == "e" else None)
    assert [one and one.variant for one in (assigned(of, user) for user in ("u-1", "u-2", "u-3", "u-4"))] == [
        *("a", "b"),
        *(None, None),
    ]


@pytest.mark.parametrize(("outcome", "arm"), [("stopped", "a"), ("winner", "b")])
def test_what_was_decided_everyone_gets_and_nobody_is_exposed(outcome: Any, arm: str) -> None:
    decision = Decision(outcome, arm, DAY, "because")
    of = experiments(experiment(coverage=0.1), decisions={"e": decision}, first_arm=lambda *_: "b")
    found = [assigned(of, user) for user in MANY[:500]]
    assert {(one.variant, one.exposed) for one in found if one} == {(arm, False)}
    assert None not in found
    assert assigned(of, "u", date(2026, 12, 1)) is None  # while the experiment lasts


def test_what_was_decided_stays_within_the_part_of_a_namespace() -> None:
    """The other part may be another experiment's."""
    part = experiment(namespace={"id": "n", "from": 0, "to": 0.5})
    of = experiments(part, decisions={"e": Decision("winner", "b", DAY, "-")})
    before = [assigned(experiments(part), user) is not None for user in MANY[:500]]
    assert [assigned(of, user) is not None for user in MANY[:500]] == before


@given(
    users=st.lists(st.text(min_size=1), max_size=20),
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=4),
)
def test_a_release_assigns_as_its_declarations_do(users: list[str], weights: list[int]) -> None:
    names = "abcd"[: len(weights)]
    listed = [{"arm": name, "weight": weight} for name, weight in zip(names, weights, strict=True)]
    one = experiment(arms=listed, coverage=0.8, namespace={"id": "n", "from": 0.1, "to": 0.9})
    declared = Declarations((one,), Holdout(share=0.2, seed="h"), METRICS)
    document = orjson.loads(orjson.dumps(report_of(declared, judge(declared, [], today=DAY))))
    released = experiments_of(document)
    for user in users:
        assert assigned(released, user) == assigned(Experiments(declared, {}), user)
