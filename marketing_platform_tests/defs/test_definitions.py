"""What the code location offers, and that looking at it is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

from marketing_platform.definitions import build_definitions
from marketing_platform.settings import Settings
from marketing_platform_tests.defs.asset_graph import COMMAND, SNAPSHOT, describe


def test_the_asset_graph_is_the_one_on_file() -> None:
    found = describe(build_definitions(Settings()))
    assert found == SNAPSHOT.read_text(), f"the graph changed; if that was meant: {COMMAND}"


def test_everything_says_what_it_is() -> None:
    for spec in build_definitions(Settings()).resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key


@pytest.mark.parametrize(
    "heavy", ["great_expectations", "pymilvus", "torch", "pandas", "onnxruntime", "matplotlib"]
)
def test_definitions_load_without(heavy: str) -> None:
    assert heavy not in _modules_of_definitions()


def _modules_of_definitions() -> set[str]:
    if not _loaded:
        code = "import sys, marketing_platform.definitions; print(*sys.modules)"
        printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        _loaded.update(printed.stdout.split())
        assert not printed.stderr, "loading the definitions warns"
    return _loaded


_loaded: set[str] = set()
