"""The table of risks in docs/api.md names tests that exist."""

from __future__ import annotations

import re

from marketing_platform_tests.conftest import PROJECT

_NAMED = re.compile(r"`(test_\w+)`")
_DEFINED = re.compile(r"^ *(?:async )?def (test_\w+)\(", re.MULTILINE)


def test_every_risk_is_held_by_tests_that_exist() -> None:
    page = (PROJECT / "docs" / "api.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| API")]
    files = (PROJECT / "marketing_platform_tests").rglob("test_*.py")
    defined = {name for file in files for name in _DEFINED.findall(file.read_text())}
    assert len(rows) == 10
    for row in rows:
        named = _NAMED.findall(row)
        assert named, row
        assert set(named) <= defined
