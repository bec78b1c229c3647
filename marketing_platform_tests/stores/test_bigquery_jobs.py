"""What people are told when BigQuery refuses a statement because of what it would cost."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError, InternalServerError

from marketing_platform.errors import CostRefused, StoreUnavailable
from marketing_platform.stores.bigquery_jobs import BigQueryJobs
from marketing_platform.stores.bigquery_settings import BigQuerySettings

JOBS = BigQueryJobs(BigQuerySettings(project="a-project", maximum_bytes_billed=10_000))  # pyright: ignore[reportCallIssue]
OVER = "Query exceeded limit for bytes billed: 10000. 10485760 or higher required."


@pytest.mark.parametrize("error", [InternalServerError(OVER), BadRequest(OVER)], ids=["500", "400"])
def test_a_query_over_the_limit_names_the_limit_and_the_setting(error: GoogleAPICallError) -> None:
    told = r"10485760.*MARKETING_BIGQUERY_MAXIMUM_BYTES_BILLED allows 10,000"
    with pytest.raises(CostRefused, match=told), JOBS.reaching():
        raise error


def test_another_failure_is_the_servers_and_a_wrong_statement_stays_one() -> None:
    with pytest.raises(StoreUnavailable), JOBS.reaching():
        raise InternalServerError("backend error")
    with pytest.raises(BadRequest, match="Syntax error"), JOBS.reaching():
        raise BadRequest("Syntax error at [1:1]")
