"""Requests made from the OpenAPI document, valid and not: no server error, nothing that it does not say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from marketing_platform.cli.processes import api_command, free_port, running, wait_for
from marketing_platform_tests.callers import new_key
from marketing_platform_tests.serving.conftest import Platform

_CONFIG = Path(__file__).with_name("fuzz.toml")
# `make fuzz` sets more.
_EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "8")


@pytest.mark.slow
def test_the_api_does_what_its_document_says(fresh_platform: Platform, tmp_path: Path) -> None:
    """Every phase of schemathesis: examples, boundary values, random requests, sequences of requests."""
    fresh_platform.publish(1)
    port, log = free_port(), tmp_path / "api.log"
    with running({"api": api_command("127.0.0.1", port)}, fresh_platform.settings, log=log) as processes:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/openapi.json", processes["api"], seconds=60)
        found = subprocess.run(
            [
                *(
                    str(Path(sys.executable).parent / "schemathesis"),
                    "--config-file",
                    str(_CONFIG),
                    "run",
                    f"{base}/openapi.json",
                ),
                # One worker: beside each other, threads trip over a defect of CPython 3.11's `ast`.
                *("--checks", "all", "--max-examples", _EXAMPLES, "--seed", "5", "--workers", "1"),
                *("--header", f"Authorization: Bearer {new_key(fresh_platform.settings)}"),
                *("--generation-database", "none", "--no-color"),
            ],
            check=False,
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "marketing_platform_tests.serving.fuzz_hooks"},
            capture_output=True,
            text=True,
        )
    assert found.returncode == 0, found.stdout[-20_000:]
