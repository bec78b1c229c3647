"""One process's way to BigQuery: a client made on first use, jobs, deadlines, retries and errors.

Google's own retry is used: it knows which answers are transient, and gives every attempt of a job the
same job id, so that a job whose answer was lost is found and not run again. What is stored, and where,
belongs to `bigquery_parts.py` and `warehouse_bigquery.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import TimeoutError as JobTimeout
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from google.api_core.exceptions import BadRequest, GoogleAPICallError, RetryError
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.bigquery import Client, LoadJobConfig, QueryJob, QueryJobConfig, SchemaField
from google.cloud.bigquery.format_options import ParquetOptions
from google.cloud.bigquery.retry import DEFAULT_RETRY
from requests import RequestException

from marketing_platform.errors import CostRefused, StoreUnavailable
from marketing_platform.stores.bigquery_rows import parameters
from marketing_platform.stores.bigquery_settings import BigQuerySettings
from marketing_platform.stores.google_credentials import credentials_of

_SCOPES = ("https://www.googleapis.com/auth/bigquery",)
_FAILURES = (GoogleAPICallError, GoogleAuthError, JobTimeout, RequestException, RetryError)
# How BigQuery says that a query met `maximum_bytes_billed`, with status 400 or 500.
_OVER_THE_LIMIT = "exceeded limit for bytes billed"


@dataclass
class Bill:
    """What the statements behind one stored part were estimated to read, and what was billed for them."""

    estimated: int = 0  # bytes
    billed: int = 0  # bytes; per statement at least 10 MB for each table, says Google's reference

    @property
    def cost(self) -> dict[str, int]:
        """As a stored table tells it."""
        return {"bytes_estimated": self.estimated, "bytes_billed": self.billed}


class BigQueryJobs:
    """The client of one process; it travels to another process as its settings."""

    def __init__(self, settings: BigQuerySettings) -> None:
        self.settings = settings
        self._client: Client | None = None
        self._making = threading.Lock()

    def __reduce__(self) -> tuple[type[BigQueryJobs], tuple[BigQuerySettings]]:
        return BigQueryJobs, (self.settings,)

    @property
    def patience(self) -> dict[str, Any]:
        """What every request is given: the client's own deadline for one is ten minutes."""
        return {
            "timeout": (self.settings.connect_seconds, self.settings.request_seconds),
            "retry": DEFAULT_RETRY.with_timeout(self.settings.retry_seconds),
        }

    @property
    def client(self) -> Client:
        """The client; making it reads credentials and contacts nobody but who gives them out."""
        with self._making:
            if self._client is None:
                self._client = self._made()
            return self._client

    def close(self) -> None:
        """Close the client's connections; the next use makes a new client."""
        with self._making:
            if self._client is not None:
                self._client.close()
            self._client = None

    @contextmanager
    def reaching(self) -> Generator[None]:
        """Failures inside the block become StoreUnavailable, or CostRefused where the limit was met."""
        try:
            yield
        except BadRequest as error:
            if _OVER_THE_LIMIT in str(error):
                raise self._refused(_cause(error)) from error
            raise  # a statement that is wrong stays wrong
        except _FAILURES as error:
            if _OVER_THE_LIMIT in str(error):
                raise self._refused(_cause(error)) from error
            raise StoreUnavailable(
                f"{self.settings.where} does not do what it is asked: {_cause(error)}. Nothing half-written"
                " is visible; see that it can be reached, that the account has the roles BigQuery Job User"
                " and BigQuery Data Editor, and the MARKETING_BIGQUERY_ settings are right, then run again"
            ) from error

    def run(self, sql: str, values: Mapping[str, Any] | None = None, *, bill: Bill | None = None) -> None:
        """Run a statement that stores something, to its end.

        With a bill, it is asked first what the statement would read.

        Raises:
            CostRefused: That is more than may be billed; the statement was not run.
        """
        values = values or {}
        self._estimated(sql, values, bill)
        job = self._begun(sql, values, self.settings.write_seconds)
        self._await(job, self.settings.write_seconds)
        _add(job, bill)

    def rows(
        self,
        sql: str,
        values: Mapping[str, Any],
        *,
        page_rows: int | None = None,
        bill: Bill | None = None,
    ) -> Iterator[pa.Table]:
        """Run a query and stream its rows, a page at a time; at least one table, which may be empty.

        A bill is what it is to `run`.
        """
        self._estimated(sql, values, bill)
        job = self._begun(sql, values, self.settings.read_seconds)
        found = self._await(job, self.settings.read_seconds, page_rows)
        _add(job, bill)
        # The REST answers keep the order of the rows and reach the emulator; the Storage Read API, which
        # is faster for millions of rows, is a package more.
        pages = found.to_arrow_iterable(timeout=self.settings.request_seconds)
        empty = True
        for page in pages:
            empty = False
            yield pa.Table.from_batches([page])
        if empty:
            yield pa.table([pa.array([], _ANY) for _ in found.schema], names=[f.name for f in found.schema])

    def estimate(self, sql: str, values: Mapping[str, Any]) -> int:
        """Bytes that a statement would read; costs nothing. The emulator answers 0."""
        config = QueryJobConfig(dry_run=True, use_query_cache=False, query_parameters=parameters(values))
        job = self.client.query(sql, config, job_retry=None, **self._placed, **self.patience)
        return int(job.total_bytes_processed or 0)

    def load(self, uri: str, table: str, columns: list[SchemaField], clustered_by: list[str]) -> int:
        """Load Parquet objects in place of what the table holds; returns how many rows."""
        options = ParquetOptions()
        options.enable_list_inference = True
        config = LoadJobConfig(
            source_format="PARQUET",
            schema=columns,
            parquet_options=options,
            write_disposition="WRITE_TRUNCATE",
            create_disposition="CREATE_NEVER",
        )
        if clustered_by:
            config.clustering_fields = clustered_by  # as the table says; nothing would unset it
        job = self.client.load_table_from_uri(uri, table, job_config=config, **self._placed, **self.patience)
        self._await(job, self.settings.write_seconds)
        return int(job.output_rows or 0)

    def _estimated(self, sql: str, values: Mapping[str, Any], bill: Bill | None) -> None:
        """Add to a bill what a statement would read; one that would read too much is not even tried."""
        if bill is None:
            return
        estimated = self.estimate(sql, values)
        if estimated > self.settings.maximum_bytes_billed:
            raise self._refused(f"a statement would read {estimated:,} bytes")
        bill.estimated += estimated

    def _refused(self, why: str) -> CostRefused:
        return CostRefused(
            f"{self.settings.where}: {why}. MARKETING_BIGQUERY_MAXIMUM_BYTES_BILLED allows"
            f" {self.settings.maximum_bytes_billed:,} for each; nothing was read or billed. Raise it if the"
            " tables have grown as they should, then run again"
        )

    @property
    def _placed(self) -> dict[str, str]:
        return {"location": self.settings.location}

    def _begun(self, sql: str, values: Mapping[str, Any], seconds: float) -> QueryJob:
        config = QueryJobConfig(
            query_parameters=parameters(values),
            maximum_bytes_billed=self.settings.maximum_bytes_billed,  # the emulator bills nothing
            job_timeout_ms=round(seconds * 1000),
        )
        patience = self.patience
        # The emulator runs a query before it answers that the query was taken.
        patience["timeout"] = (self.settings.connect_seconds, max(seconds, self.settings.request_seconds))
        return self.client.query(sql, config, job_retry=None, **self._placed, **patience)

    def _await(self, job: Any, seconds: float, page_rows: int | None = None) -> Any:
        """The result of a job that ended well and in time; one that takes too long is cancelled."""
        asked: dict[str, Any] = {"timeout": seconds, "retry": self.patience["retry"]}
        if isinstance(job, QueryJob):
            asked |= {"job_retry": None, "page_size": page_rows}
        try:
            return job.result(**asked)
        except JobTimeout:
            with suppress(*_FAILURES):
                job.cancel(retry=None, timeout=self.settings.connect_seconds)
            raise

    def _made(self) -> Client:
        settings = self.settings
        credentials = credentials_of(
            settings.credentials_file,
            anonymous=settings.anonymous,
            scopes=_SCOPES,
            variable="MARKETING_BIGQUERY_CREDENTIALS_FILE",
        )
        return Client(
            project=settings.project,
            credentials=credentials,
            location=settings.location,
            client_options={"api_endpoint": settings.endpoint} if settings.endpoint else None,
            _http=AuthorizedSession(credentials, refresh_timeout=settings.connect_seconds),
        )


_ANY = pa.null()


def _add(job: QueryJob, bill: Bill | None) -> None:
    if bill is not None:
        bill.billed += int(job.total_bytes_billed or 0)  # none where nobody bills: the emulator


def _cause(error: Exception) -> str:
    if isinstance(error, RetryError) and error.cause is not None:
        return _cause(error.cause)
    if isinstance(error, JobTimeout):
        return "a job did not end in time and was cancelled"
    return (str(error) or type(error).__name__).splitlines()[0][:300]
