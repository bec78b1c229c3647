"""Whether BigQuery is ready for the tables; its dataset is made when it is missing."""

from __future__ import annotations

from marketing_platform.stores.bigquery_jobs import BigQueryJobs
from marketing_platform.stores.bigquery_settings import BigQuerySettings
from marketing_platform.stores.diagnosis import Found, timed


def diagnose(settings: BigQuerySettings) -> Found:
    """Run a query that reads nothing and costs nothing; StoreUnavailable when there is no way in."""
    patient = min(settings.retry_seconds, settings.connect_seconds)
    jobs = BigQueryJobs(settings.model_copy(update={"retry_seconds": patient}))
    _, milliseconds = timed(lambda: list(jobs.rows("SELECT 1 AS one", {})))
    return Found(None, milliseconds)
