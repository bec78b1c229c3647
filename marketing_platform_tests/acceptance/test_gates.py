"""Gates on the real jobs: some of what `marketing-platform gates test` does for every rule."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketing_platform.defs.rehearsal import Rehearsal
from marketing_platform.gates import load_suites
from marketing_platform.gates.trial import Stopped, try_rule
from marketing_platform.settings import PROJECT_DIR, Settings

NOW = datetime.now(UTC)
_SUITES = load_suites(PROJECT_DIR / "expectations")
_RULES = {rule.rule: rule for rule in _SUITES.rules}


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Rehearsal:
    folder = tmp_path_factory.mktemp("rehearsal")
    (folder / "models").symlink_to(models)
    return Rehearsal(Settings(), folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["purchases_sold_more_than_returned", "conserved"])
def test_the_rule_alone_stops_its_example_and_nothing_is_released(rehearsal: Rehearsal, name: str) -> None:
    trial = try_rule(_RULES[name], rehearsal.land, now=NOW)
    assert trial.ok, trial.complaint
    assert trial.stopped_by == (name,)


def test_a_check_that_fails_and_lets_the_release_through_is_found_out() -> None:
    rule = _RULES["conserved"]
    asleep = Stopped(gate_rules=frozenset({rule.rule}), released=True)
    trial = try_rule(rule, lambda _: asleep, now=NOW)
    assert not trial.ok
    assert trial.complaint == "a release was published all the same"
