"""The table of risks in docs/api.md names tests that exist."""

from __future__ import annotations

import re

from marketing_platform_tests.conftest import PROJECT

_NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_every_risk_is_held_by_tests_that_exist() -> None:
    rows = [
        line for line in (PROJECT / "docs" / "api.md").read_text().splitlines() if line.startswith("| API")
    ]
    assert len(rows) == 10
    for row in rows:
        named = _NAMED.findall(row)
        assert named, row
        for file, test in named:
            assert f"def {test}(" in (PROJECT / "marketing_platform_tests" / file).read_text(), test
