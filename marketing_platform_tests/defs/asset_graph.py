"""The asset graph as text that people read in a diff.

`python -m marketing_platform_tests.defs.asset_graph` writes `asset_graph.txt` anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg

from marketing_platform.definitions import build_definitions
from marketing_platform.settings import load_settings

SNAPSHOT = Path(__file__).with_name("asset_graph.txt")
COMMAND = "python -m marketing_platform_tests.defs.asset_graph"


def describe(definitions: dg.Definitions) -> str:
    """Groups and their assets, each with what it reads, is made of, is owned by and is checked for."""
    specs = sorted(definitions.resolve_all_asset_specs(), key=lambda spec: (spec.group_name, spec.key))
    checks = definitions.resolve_asset_graph().asset_check_keys
    blocking = {
        spec.key for check in definitions.asset_checks or [] for spec in check.check_specs if spec.blocking
    }
    lines: list[str] = []
    group = None
    for spec in specs:
        if spec.group_name != group:
            group = spec.group_name
            lines += ["", f"group {group}"]
        own = [key for key in checks if key.asset_key == spec.key]
        lines += ["", f"  {spec.key.to_user_string()}", *_facts(spec, own, blocking)]
    return "\n".join(lines).strip() + "\n"


def _facts(
    spec: dg.AssetSpec, checks: Iterable[dg.AssetCheckKey], blocking: set[dg.AssetCheckKey]
) -> Iterator[str]:
    yield _line("reads", (dependency.asset_key.to_user_string() for dependency in spec.deps))
    yield _line("kinds", spec.kinds)
    yield _line("owners", spec.owners)
    if spec.partitions_def is not None:
        yield _line("partitions", [str(spec.partitions_def.name)])  # pyright: ignore[reportAttributeAccessIssue]
    for key in sorted(checks):
        yield _line("blocked by" if key in blocking else "judged by", [key.name])


def _line(what: str, values: Iterable[str]) -> str:
    return f"    {what:<11}{', '.join(sorted(values)) or 'nothing'}"


if __name__ == "__main__":
    SNAPSHOT.write_text(describe(build_definitions(load_settings())))
