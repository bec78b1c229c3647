"""Queries over tables, each into a folder."""

from __future__ import annotations

from marketing_platform.compute.job.session import Session
from marketing_platform.compute.jobs import Statements, rows_written


def run_statements(session: Session, job: Statements) -> int:
    """Run every query of the job; how many rows they gave."""
    for view in job.views:
        session.read(list(view.files), view.arrow_schema).createOrReplaceTempView(view.name)
    for name, sql in job.queries.items():
        session.spark.sql(sql).write.parquet(str(job.output / name))
    return sum(rows_written(job.output / name) for name in job.queries)
