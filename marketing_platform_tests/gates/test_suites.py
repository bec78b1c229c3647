"""What `load_suites` accepts, and how it says what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketing_platform import catalog
from marketing_platform.errors import ExpectationError
from marketing_platform.gates import RowGate, Suites, declared_checks, load_suites
from marketing_platform_tests.gates.conftest import EXPECTATIONS, Edit, typed


def test_every_table_has_row_rules_and_table_rules(suites: Suites) -> None:
    for name in catalog.tables():
        assert suites.row_rules(name), name
        assert suites.table_rules(name), name
    assert {rule.rule for rule in suites.batch_rules()} == {"share_valid", "readable", "conserved"}


def test_reasons_that_others_rely_on(suites: Suites) -> None:
    reasons = {(rule.table, rule.reason) for rule in suites.rules}
    assert {
        ("events", "user_id missing"),
        ("events", "event_type unknown"),
        ("purchases", "unit_price negative"),
    } <= reasons


def test_each_table_rule_declares_one_check_that_blocks_unless_it_only_warns(suites: Suites) -> None:
    checks = declared_checks(suites)
    assert len({(check.asset, check.check) for check in checks}) == len(checks)
    warning = {check.check for check in checks if not check.blocking}
    of_experiments = {"sample_ratio", "one_arm_each", "guardrails"}
    assert warning == {"unusual_days", "products_described", "emptied", *of_experiments}
    assert ("users", "users_ids_unique") in {(check.asset, check.check) for check in checks}


def test_the_fingerprint_follows_the_content(suites: Suites, edited: Callable[[str, Edit], Path]) -> None:
    assert load_suites(EXPECTATIONS).fingerprint == suites.fingerprint

    def loosen(expectations: list[dict[str, Any]]) -> None:
        expectations[0]["meta"]["description"] += " indeed"

    assert load_suites(edited("users", loosen)).fingerprint != suites.fingerprint


def _set(path: str, value: Any) -> Edit:
    """Set `kwargs.column`, `meta.rule`, … of the first expectation; a value of ... deletes."""

    def edit(expectations: list[dict[str, Any]]) -> None:
        *way, last = path.split(".")
        target = expectations[0]
        for step in way:
            target = target[step]
        if value is ...:
            del target[last]
        else:
            target[last] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_set("kwargs.column", "user"), ["users.json", "users_user_id_missing", "kwargs.column", "'user'"]),
        (_set("kwargs", {}), ["users_user_id_missing", "kwargs.column"]),
        (_set("kwargs.mostly", 0.5), ["users_user_id_missing", "kwargs.mostly"]),
        (_set("meta.reason", ...), ["users.json", "users_user_id_missing", "meta.reason"]),
        (_set("meta.plant", ...), ["users_user_id_missing", "meta.plant"]),
        (_set("meta.plant", {}), ["users_user_id_missing", "meta.plant"]),
        (_set("meta.plant", {"nose": "x"}), ["users_user_id_missing", "meta.plant", "'nose'"]),
        (_set("meta.rule", "users_email_malformed"), ["users_email_malformed", "meta.rule"]),
        (
            _set("meta.rule", "products_price_negative"),
            ["products_price_negative", "meta.rule", "products.json"],
        ),
        (_set("meta.level", "batch"), ["users_user_id_missing", "meta.level"]),
        (_set("meta.level", "colum"), ["users_user_id_missing", "meta.level"]),
        (_set("type", "expect_magic"), ["users_user_id_missing", "type", "expect_magic"]),
        (_set("typ", "x"), ["users_user_id_missing", "typ"]),
    ],
)
def test_a_wrong_suite_is_refused_by_file_rule_and_key(
    edit: Edit, words: list[str], edited: Callable[[str, Edit], Path]
) -> None:
    with pytest.raises(ExpectationError) as raised:
        load_suites(edited("users", edit))
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_missing_foreign_and_broken_files_are_refused(
    edited: Callable[[str, Edit], Path], tmp_path: Path
) -> None:
    folder = edited("users", lambda _: None)
    (folder / "users.json").rename(folder / "people.json")
    with pytest.raises(ExpectationError, match=r"no suite for users"):
        load_suites(folder)
    folder = edited("users", lambda _: None)
    (folder / "people.json").write_text("{}")
    with pytest.raises(ExpectationError, match=r"people\.json"):
        load_suites(folder)
    folder = edited("users", lambda _: None)
    (folder / "users.json").write_text('{"name": "users",\n oops}')
    with pytest.raises(ExpectationError, match=r"users\.json:2: not JSON"):
        load_suites(folder)
    with pytest.raises(ExpectationError, match="no such folder"):
        load_suites(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_set("kwargs.colum", "x"), ["users_user_id_missing", "kwargs", "colum"]),
        (
            _set("type", "expect_column_unique_value_count_to_be_between"),
            ["users_user_id_missing", "does not say which rows"],
        ),
    ],
)
def test_what_great_expectations_refuses_stops_before_the_first_row(
    edit: Edit, words: list[str], edited: Callable[[str, Edit], Path]
) -> None:
    suites = load_suites(edited("users", edit))
    with pytest.raises(ExpectationError) as raised:
        RowGate(suites).problems("users", typed("users", [{"user_id": "u"}]))
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_reading_suites_does_not_import_great_expectations() -> None:
    code = (
        "import sys; from pathlib import Path; from marketing_platform.gates import load_suites; "
        "load_suites(Path(sys.argv[1])); sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(EXPECTATIONS)], check=False).returncode == 0
