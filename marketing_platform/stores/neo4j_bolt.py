"""Plain calls to Neo4j that end in time, whatever happens to the server or the network.

The driver's blocking half waits for bytes without a limit: a server that hangs would hang the caller with
it. Its asyncio half can be cancelled, which closes the connection. So that half runs on a thread of its own,
and callers wait for it with a deadline. What is asked is the business of the modules that use this one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC
from types import TracebackType
from typing import Any, LiteralString, Self, TypeVar, cast

import neo4j
import neo4j.time
import stamina
from neo4j import AsyncDriver, AsyncGraphDatabase, AsyncManagedTransaction, AsyncResult, Query
from neo4j.exceptions import DriverError, Neo4jError

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.neo4j_settings import Neo4jSettings

_T = TypeVar("_T")
Rows = list[dict[str, Any]]
Statement = tuple[str, Mapping[str, Any]]
_READ_ATTEMPTS = 3
_WRITES_WHERE_ONLY_READING = "Neo.ClientError.Statement.AccessMode"
_CALLERS_FAULT = ("Neo.ClientError.Statement.", "Neo.ClientError.Schema.", "Neo.DatabaseError.Schema.")


class Bolt:
    """A driver with its pool. Nothing is contacted before the first call; any thread may call.

    Reads may take `read_seconds`, those of the settings unless given: a writer has more time than a request.
    """

    def __init__(self, settings: Neo4jSettings, *, read_seconds: float | None = None) -> None:
        self._settings = settings
        self._read_seconds = read_seconds or settings.read_seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="neo4j", daemon=True)
        self._thread.start()
        self._driver = self._wait(self._opened(), settings.connect_seconds)

    def read(self, query: str, parameters: Mapping[str, Any]) -> Rows:
        """Ask in a read-only session, within `read_seconds` in all; tried again when a connection breaks."""
        timed = Query(_text(query), timeout=self._read_seconds)
        return self._wait(self._read(timed, parameters), self._read_seconds)

    def write(self, *statements: Statement) -> Rows:
        """Run statements in one transaction; rows of the last one.

        Tried again for `retry_seconds` when the server says that it may be, or was lost before the commit.
        """
        return self._wait(self._write(statements), self._settings.write_seconds)

    def alone(self, query: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Run one statement that wants no transaction around it: constraints, batches of its own."""
        return self._wait(self._alone(query, parameters or {}), self._settings.write_seconds)

    def close(self) -> None:
        """Close the pool and end the thread; a second call does nothing."""
        if self._loop.is_closed():
            return
        with suppress(StoreUnavailable):  # a server that is gone needs no farewell
            self._wait(self._driver.close(), self._settings.connect_seconds)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _opened(self) -> AsyncDriver:
        settings = self._settings
        encryption: dict[str, Any] = {"encrypted": settings.tls}
        if settings.tls and settings.ca_file:
            encryption["trusted_certificates"] = neo4j.TrustCustomCAs(str(settings.ca_file))
        return AsyncGraphDatabase.driver(
            settings.uri,
            auth=settings.credentials,
            connection_timeout=settings.connect_seconds,
            connection_write_timeout=settings.write_seconds,
            connection_acquisition_timeout=settings.acquire_seconds,
            max_connection_pool_size=settings.pool_size,
            max_transaction_retry_time=settings.retry_seconds,
            notifications_min_severity="OFF",
            telemetry_disabled=True,
            user_agent="marketing-platform",
            **encryption,
        )

    async def _read(self, query: Query, parameters: Mapping[str, Any]) -> Rows:
        async for attempt in stamina.retry_context(
            on=_may_be_repeated, attempts=_READ_ATTEMPTS, timeout=None, wait_initial=0.05, wait_max=0.5
        ):
            with attempt:
                async with self._driver.session(
                    database=self._settings.database, default_access_mode=neo4j.READ_ACCESS
                ) as session:
                    return await _rows(await session.run(query, dict(parameters)))
        raise AssertionError("unreachable: the last attempt raises")

    async def _write(self, statements: tuple[Statement, ...]) -> Rows:
        @neo4j.unit_of_work(timeout=self._settings.write_seconds)
        async def work(transaction: AsyncManagedTransaction) -> Rows:
            rows: Rows = []
            for query, parameters in statements:
                rows = await _rows(await transaction.run(_text(query), dict(parameters)))
            return rows

        async with self._driver.session(database=self._settings.database) as session:
            return await session.execute_write(work)

    async def _alone(self, query: str, parameters: Mapping[str, Any]) -> Rows:
        async with self._driver.session(database=self._settings.database) as session:
            timed = Query(_text(query), timeout=self._settings.write_seconds)
            return await _rows(await session.run(timed, dict(parameters)))

    def _wait(self, work: Coroutine[Any, Any, _T], seconds: float) -> _T:
        async def within() -> _T:
            async with asyncio.timeout(seconds):
                return await work

        with _reported(self._settings.where, seconds):
            return asyncio.run_coroutine_threadsafe(within(), self._loop).result()


def _text(query: str) -> LiteralString:
    """Queries come as text from modules of ours; values are always parameters."""
    return cast("LiteralString", query)


def _may_be_repeated(error: Exception) -> bool:
    return isinstance(error, (DriverError, Neo4jError)) and error.is_retryable()


async def _rows(result: AsyncResult) -> Rows:
    return [{name: plain(value) for name, value in record.items()} async for record in result]


def plain(value: Any) -> Any:
    """The value in Python's own types; ValueError for nodes, relations and whatever else Neo4j has."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, neo4j.time.DateTime):
        moment = value.to_native()
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(value, neo4j.time.Date):
        return value.to_native()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    raise ValueError(f"{type(value).__name__} is not a plain value; return properties, not what carries them")


@contextmanager
def _reported(where: str, seconds: float) -> Generator[None]:
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable(
            f"{where} did not answer within {seconds:g} s; look at its load and the network in between, "
            "or allow more time in MARKETING_NEO4J_…_SECONDS"
        ) from error
    except Neo4jError as error:
        if error.code == _WRITES_WHERE_ONLY_READING:
            raise ValueError(f"a reader is read-only: {error.message}") from error
        if (error.code or "").startswith(_CALLERS_FAULT):
            raise
        raise StoreUnavailable(f"{where} refused: {error.message} ({error.code})") from error
    except DriverError as error:
        raise StoreUnavailable(
            f"{where} cannot be reached: {error}; start it, or correct MARKETING_NEO4J_URI"
        ) from error
