"""Reads `rules/recommendations.yaml` and says exactly where it is wrong."""

from __future__ import annotations

from pathlib import Path

from marketing_platform.recommenders.rules.spec import RuleBook


def load_rules(directory: Path) -> RuleBook:
    """The rules declared in `recommendations.yaml` of the folder; none without that file.

    Raises:
        RuleError: Something is wrong; one line per problem: `file:line: key path: expected …, found …`.
    """
    raise NotImplementedError
