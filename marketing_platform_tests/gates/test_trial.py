"""The gates are awake: each rule alone stops its example, and a rule that sleeps is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from marketing_platform.cli.gates import app
from marketing_platform.gates import Rule, Suites, load_suites
from marketing_platform.gates.plants import Cells
from marketing_platform.gates.trial import try_gates, try_rule, unlisted
from marketing_platform.ingestion.dry_run import dry_run
from marketing_platform_tests.gates.conftest import EXPECTATIONS, Edit

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RULES = load_suites(EXPECTATIONS).rules
NOT_NULL = "expect_column_values_to_not_be_null"


@pytest.mark.slow
def test_every_rule_alone_stops_its_example(suites: Suites) -> None:
    trials = list(try_gates(suites, dry_run(suites, now=NOW), now=NOW))
    assert not [trial for trial in trials if not trial.ok]
    assert {rule.rule for rule in suites.rules} <= {trial.rule for trial in trials}


def _without(suites: Suites, gone: Rule) -> Suites:
    return replace(suites, rules=tuple(rule for rule in suites.rules if rule.rule != gone.rule))


def _loosened(rule: Rule) -> dict[str, Any] | None:
    """Arguments under which the rule lets its example through; None when it cannot be loosened."""
    kwargs = dict(rule.kwargs)
    planted = rule.plant.root[rule.columns[0]] if isinstance(rule.plant, Cells) else None
    if "regex" in kwargs:
        return kwargs | {"regex": "."}
    if "column_A" in kwargs:
        return kwargs | {"column_B": kwargs["column_A"]}
    if rule.type.endswith("_not_be_in_set"):
        return kwargs | {"value_set": [7]}
    if "value_set" in kwargs:
        return kwargs | {"value_set": [*kwargs["value_set"], planted]}
    for key, wide in (("min_value", -1e15), ("max_value", 1e15)):
        if key in kwargs:
            kwargs[key] = "1900-01-01T00:00:00+00:00" if isinstance(kwargs[key], str) and wide < 0 else wide
            if isinstance(rule.kwargs[key], str) and wide > 0:
                kwargs[key] = "2200-01-01T00:00:00+00:00"
            if isinstance(rule.kwargs[key], dict):
                kwargs[key] = rule.kwargs[key]
    return None if rule.type == NOT_NULL else kwargs


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=[rule.rule for rule in RULES])
def test_a_rule_taken_out_or_loosened_is_found_out(suites: Suites, rule: Rule) -> None:
    fewer = _without(suites, rule)
    assert [trial.rule for trial in unlisted(fewer)] == [f"{rule.table}.{rule.rule}"]
    kwargs = _loosened(rule)
    if kwargs is None:
        asleep = fewer
    else:
        loose = replace(rule, kwargs=kwargs)
        asleep = replace(fewer, rules=(*fewer.rules, loose))
    trial = try_rule(rule, dry_run(asleep, now=NOW), now=NOW)
    assert not trial.ok
    assert rule.rule not in trial.stopped_by


def test_a_rule_that_stops_too_much_is_found_out(suites: Suites) -> None:
    (rule,) = (rule for rule in suites.rules if rule.rule == "events_channel_unknown")
    strict = replace(rule, kwargs={"column": "channel", "value_set": ["web"]})
    changed = replace(suites, rules=(strict,), listed=frozenset({"events.events_channel_unknown"}))
    trials = list(try_gates(changed, dry_run(changed, now=NOW), now=NOW))
    assert {trial.rule for trial in trials if not trial.ok} == {"(none: events)", "events_channel_unknown"}


def test_a_rule_that_is_not_listed_is_named(suites: Suites) -> None:
    changed = replace(suites, listed=suites.listed - {"users.users_ids_unique"})
    (trial,) = unlisted(changed)
    assert not trial.ok
    assert "not in rules.txt" in trial.complaint


@pytest.mark.long
def test_the_command_exits_with_1_and_says_which_rule_sleeps(
    edited: Callable[[str, Edit], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def loosen(expectations: list[dict[str, Any]]) -> None:
        (rule,) = (entry for entry in expectations if entry["meta"]["rule"] == "products_price_negative")
        rule["kwargs"]["min_value"] = -1000

    folder = edited("products", loosen)
    # The other tables' rules only cost time here.
    for path in folder.glob("*.json"):
        if path.stem != "products":
            path.write_text(f'{{"name": "{path.stem}", "expectations": []}}', encoding="utf-8")
    listed = [f"{rule.table}.{rule.rule}" for rule in RULES if rule.table == "products"]
    (folder / "rules.txt").write_text("\n".join(listed), encoding="utf-8")
    monkeypatch.setenv("MARKETING_EXPECTATIONS_DIR", str(folder))
    result = CliRunner().invoke(app, ["test", "--json"])
    assert result.exit_code == 1, result.output
    document = orjson.loads(result.stdout)
    assert not document["ok"]
    assert [trial["rule"] for trial in document["trials"] if not trial["ok"]] == ["products_price_negative"]
