"""Launches Spark jobs through Dagster Pipes, and brings their logs and figures into the run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from marketing_platform.compute.jobs import FAILED, JOBS, Figures, Job, Sifting
from marketing_platform.errors import ComputeUnavailable
from marketing_platform.stores.spark_settings import SparkSettings

_PROGRAM = (sys.executable, "-m", "marketing_platform.compute.job")


class _Step(dg.OpExecutionContext):
    """The step that a job works for. What the job reports is joined to its own result, which it returns."""

    def set_requires_typed_event_stream(self, *, error_message: str | None = None) -> None:
        """Pipes would have the step return what the job reports, and nothing else."""


def launch(job: Job, settings: SparkSettings) -> Figures:
    """Run a job in a process of its own, on behalf of the step that this is called in.

    Raises ComputeUnavailable when Spark is not installed, or with the reason why the job failed.
    """
    _look_for_spark()
    context = dg.AssetExecutionContext.get()
    extras = {
        "asset": _asset(context).to_user_string(),
        "job": JOBS.dump_python(job, mode="json"),
        "spark": settings.model_dump(mode="json"),
    }
    step = _Step(context.get_step_execution_context())
    try:
        done = dg.PipesSubprocessClient().run(context=step, command=_PROGRAM, extras=extras)
    except DagsterPipesExecutionError as error:
        raise ComputeUnavailable(
            f"the process of a Spark job ended early; its stderr is the step's: {error}"
        ) from error
    figures = _figures(done.get_custom_messages(), done.get_results(implicit_materializations=False))
    _tell(context, job, figures)
    return figures


def _tell(context: dg.AssetExecutionContext, job: Job, figures: Figures) -> None:
    """Show the figures with the asset; what is being stored already gets them from what stores it."""
    step = context.get_step_execution_context()
    partitioned = context.assets_def.partitions_def is not None
    if not any(step.has_seen_output(name) for name in step.selected_output_names):
        context.add_asset_metadata(
            {f"cost/{name}": amount for name, amount in figures.items()},
            asset_key=_asset(context),
            partition_key=job.batch_id if partitioned and isinstance(job, Sifting) else None,
        )


def _asset(context: dg.AssetExecutionContext) -> dg.AssetKey:
    """The asset that a job is for; of quarantined and valid records the latter."""
    return max(context.selected_asset_keys)


def _figures(messages: Sequence[Any], reported: Sequence[Any]) -> Figures:
    for message in messages:
        if FAILED in message:
            raise ComputeUnavailable(f"the Spark job failed: {message[FAILED]}")
    if not reported:
        raise ComputeUnavailable("the Spark job ended and told nothing; its output is in the step's stderr")
    return {name: int(value.value) for name, value in (reported[-1].metadata or {}).items()}


def _look_for_spark() -> None:
    if find_spec("pyspark") is None:
        raise ComputeUnavailable(
            "MARKETING_COMPUTE=spark needs PySpark: install the extra `spark` (pip install"
            " 'marketing-platform[spark]')"
        )
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=f"{home}/bin" if home else None) is None:
        raise ComputeUnavailable(
            "MARKETING_COMPUTE=spark needs Java 17 or newer: install a Java runtime, on the path or named by"
            " JAVA_HOME"
        )
