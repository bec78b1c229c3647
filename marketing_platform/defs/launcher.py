"""Launches runs as Dagster does by default, and can say whether the process behind a run lives.

Dagster's monitoring fails runs whose worker is gone, but only for launchers that can tell. Without
it a run that was killed stays "started" for ever, and everything that waits for it waits for ever.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value
from dagster_shared.error import SerializableErrorInfo

from marketing_platform.errors import MarketingPlatformError

PROCESS = "marketing/process"  # run tag of the command line: "pid@host" of the process that executes
_SERVER = ".dagster/grpc_info"  # run tag of Dagster: where the server is whose child executes
_TIMEOUT = 10  # seconds


class DefinitionsBroken(MarketingPlatformError):
    """The code location does not load; the message says why."""


class WatchfulRunLauncher(DefaultRunLauncher):
    """The default launcher, plus the answer to whether a run's process is still there."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> WatchfulRunLauncher:
        return cls(inst_data=inst_data)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """FAILED when the process that executed the run is gone.

        RUNNING for runs of unknown origin, and for those that another machine's command line executes:
        the instance's `max_runtime_seconds` ends those.
        """
        process, server = run.tags.get(PROCESS), run.tags.get(_SERVER)
        if process is not None and not _alive(process):
            return CheckRunHealthResult(
                WorkerStatus.FAILED, f"process {process} ended without a word (killed?)"
            )
        if server is not None and not _executes(json.loads(server), run.run_id):
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process ended without a word (killed?)")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def this_process() -> str:
    """The value of the tag PROCESS for runs that this process executes."""
    return f"{os.getpid()}@{socket.gethostname()}"


def fail_orphans(instance: dg.DagsterInstance) -> None:
    """Fail the started runs whose process is gone, whatever the event log says."""
    launcher = instance.run_launcher
    if not launcher.supports_check_run_worker_health:
        return
    begun = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED]
    for run in instance.get_runs(dg.RunsFilter(statuses=begun)):
        health = launcher.check_run_worker_health(run)
        if health.status is WorkerStatus.FAILED:
            instance.report_run_failed(run, health.msg)


def definitions_loaded(code_socket: str) -> bool:
    """Whether the code server behind a Unix socket serves the definitions; DefinitionsBroken if never."""
    try:
        answer = DagsterGrpcClient(socket=code_socket).list_repositories()
    except DagsterUserCodeUnreachableError:
        return False
    found = deserialize_value(answer)
    if isinstance(found, SerializableErrorInfo):
        while found.cause is not None:
            found = found.cause
        raise DefinitionsBroken(f"the definitions cannot be loaded: {found.message.strip()}")
    return True


def _executes(server: dict[str, Any], run_id: str) -> bool:
    client = DagsterGrpcClient(
        host=server.get("host", "localhost"), port=server.get("port"), socket=server.get("socket")
    )
    try:
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=_TIMEOUT)
    except DagsterUserCodeUnreachableError:  # the server is gone, and its children with it
        return False
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel


def _alive(process: str) -> bool:
    pid, _, host = process.partition("@")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
