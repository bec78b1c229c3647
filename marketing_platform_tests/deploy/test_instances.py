"""The two Dagster instances say the same where they do not differ on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from marketing_platform.definitions import build_definitions
from marketing_platform.defs.pools import POOLS, stored_in
from marketing_platform.settings import PROJECT_DIR, Settings

# What the profiles differ in, and only they.
_OF_SERVERS = {"storage", "concurrency", "compute_logs"}
_OF_EMBEDDED = {"event_log_storage"}
_MORE_OF_SERVERS = {"run_monitoring": {"max_runtime_seconds", "free_slots_after_run_end_seconds"}}


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load(Path(PROJECT_DIR, name).read_text(encoding="utf-8"))


def test_what_is_shared_is_the_same() -> None:
    embedded, servers = _read("dagster.yaml"), _read("dagster.servers.yaml")
    embedded["run_queue"].pop("max_concurrent_runs")
    for section, more in _MORE_OF_SERVERS.items():
        for name in more:
            servers[section].pop(name)
    for name in _OF_EMBEDDED:
        embedded.pop(name)
    assert {name: value for name, value in servers.items() if name not in _OF_SERVERS} == embedded


def test_embedded_runs_go_one_after_the_other() -> None:
    assert _read("dagster.yaml")["run_queue"]["max_concurrent_runs"] == 1


def test_the_instance_of_servers_names_no_server_and_no_secret() -> None:
    (storage,) = _read("dagster.servers.yaml")["storage"].values()
    assert set(storage) == {"module", "class"}


def test_every_step_that_writes_to_a_datastore_is_in_its_pool() -> None:
    definitions = build_definitions(Settings())
    keys = {f"{role}_io": role for role in POOLS}
    for assets in definitions.assets or ():
        written = {
            keys[output.io_manager_key] for output in assets.op.output_defs if output.io_manager_key in keys
        }
        if written:
            assert {assets.op.pool} == written, assets.op.name
    assert {assets.op.pool for assets in definitions.assets or ()} == {*POOLS, None}


def test_every_pool_has_its_io_manager() -> None:
    resources = build_definitions(Settings()).resources or {}
    assert {stored_in(role)["io_manager_key"] for role in POOLS} <= set(resources)
