"""What the code location offers, and that looking at it is cheap."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import pytest

from marketing_platform.definitions import build_definitions
from marketing_platform.defs.assets.release import CONSISTS_OF
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


def test_the_release_comes_after_everything_it_consists_of() -> None:
    graph = build_definitions(Settings()).resolve_asset_graph()
    above = graph.get_ancestor_asset_keys(dg.AssetKey("release"))
    assert {dg.AssetKey(asset) for asset in CONSISTS_OF} <= above


def test_only_what_follows_the_admitted_batches_is_materialized_by_itself() -> None:
    graph = build_definitions(Settings()).resolve_asset_graph()
    followers = {
        key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).automation_condition
    }
    assert followers == {*CONSISTS_OF, "release"} - {"validated_records", "admitted_batches"}


@pytest.mark.slow
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
