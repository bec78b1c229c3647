"""Runs one job under Dagster Pipes: what is to be done comes as extras, logs and figures go back."""

from __future__ import annotations

import time

from dagster_pipes import PipesContext, open_dagster_pipes

from marketing_platform.compute.job.encoding import encode
from marketing_platform.compute.job.session import Session, reason
from marketing_platform.compute.job.sifting import sift
from marketing_platform.compute.job.statements import run_statements
from marketing_platform.compute.jobs import FAILED, JOBS, Encoding, Job, Sifting
from marketing_platform.stores.spark_settings import SparkSettings


def main() -> None:
    """The program. A failure is told as a message: Dagster's client reads none once the exit code says it."""
    with open_dagster_pipes() as pipes:
        try:
            figures = _run(pipes)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the run must learn why
            pipes.log.error(str(error))
            pipes.report_custom_message({FAILED: reason(error)})
        else:
            pipes.report_asset_materialization(figures, asset_key=pipes.get_extra("asset"))


def _run(pipes: PipesContext) -> dict[str, int]:
    job = JOBS.validate_python(pipes.get_extra("job"))
    settings = SparkSettings.model_validate(pipes.get_extra("spark"))
    started = time.monotonic()
    with Session(settings, name=f"{pipes.get_extra('asset')} ({job.kind})") as session:
        opened = time.monotonic()
        pipes.log.info(f"Spark {session.spark.version} at {settings.master} after {opened - started:.1f} s")
        rows = _done(job, session)
        figures = {"rows": rows, "seconds": round(time.monotonic() - started), **session.figures()}
    pipes.log.info(f"{job.kind}: {figures}")
    return figures


def _done(job: Job, session: Session) -> int:
    """Do the job; how many rows it wrote."""
    if isinstance(job, Sifting):
        return sift(session, job)
    if isinstance(job, Encoding):
        return encode(session, job)
    return run_statements(session, job)


if __name__ == "__main__":
    main()
