"""BigQuery's REST API by bqemulator (on DuckDB), in a virtual environment of its own; data in memory.

Other than the real one it bills and estimates nothing, does not delete what expired, forgets the labels
of tables that it lists, and runs a query before it answers that it took it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from marketing_platform.stores.bigquery_settings import BigQuerySettings
from marketing_platform_tests.servers import gcs
from marketing_platform_tests.servers.base import CACHE, Running, ServerFailed, free_port, started
from marketing_platform_tests.servers.shared import shared

_VERSION = "1.1.1"
_PACKAGES = (
    f"bqemulator=={_VERSION}",
    "duckdb==1.5.5",
    "duckdb-extensions",
    "duckdb-extension-spatial==1.5.5",
    "numpy",
)
_EXTENSION = "from duckdb_extensions import import_extension; import_extension('spatial')"


@contextmanager
def running(port: int | None = None) -> Generator[Running]:
    """A server that loads from the buckets of the session's Cloud Storage."""
    program = _installed()
    port = port or free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [str(program), "start", "--rest-port", str(port), "--grpc-port", "0", "--log-level", "warning"]
    # Where that server keeps its buckets: the emulator reads their files.
    environment = {"BQEMU_GCS_LOCAL_ROOT": str(shared(gcs.running).log.parent / "objects")}
    with (
        tempfile.TemporaryDirectory(prefix="marketing-bigquery-") as folder,
        started(
            command,
            endpoint=endpoint,
            folder=Path(folder),
            answers=lambda: _answers(endpoint),
            environment=environment,
        ) as server,
    ):
        yield server


def settings(server: Running, **changed: object) -> BigQuerySettings:
    """Settings for a dataset that nobody else uses."""
    given: dict[str, object] = {
        "endpoint": server.endpoint,
        "project": "marketing-test",
        "dataset": f"test_{uuid.uuid4().hex[:12]}",
    }
    return BigQuerySettings.model_validate({**given, **changed})


def _answers(endpoint: str) -> bool:
    with urlopen(f"{endpoint}/bigquery/v2/projects/any/datasets", timeout=2) as answer:
        return answer.status == 200


def _installed() -> Path:
    folder = CACHE / f"bqemulator-{_VERSION}"
    python, program = folder / "bin" / "python", folder / "bin" / "bqemulator"
    if (folder / "complete").exists():
        return program
    shutil.rmtree(folder, ignore_errors=True)
    if uv := shutil.which("uv"):
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(folder))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *_PACKAGES)
    else:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_PACKAGES)
    _run(str(python), "-c", _EXTENSION)
    (folder / "complete").touch()
    return program


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
