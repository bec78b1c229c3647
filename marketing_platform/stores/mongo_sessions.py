"""One process's way to MongoDB: a client made on first use, deadlines, retries and errors.

What is stored, and under which names, belongs to `documents_mongo.py`, `enriched_mongo.py` and
`answers_mongo.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pymongo
import stamina
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import AutoReconnect, BulkWriteError, ConnectionFailure, PyMongoError

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.mongo_settings import MongoSettings

Document = dict[str, Any]
_T = TypeVar("_T")
_DUPLICATE = 11000
_REFUSED = {13, 18}  # unauthorized, authentication failed


class MongoSession:
    """The client of one process; it travels to another process as its settings."""

    def __init__(self, settings: MongoSettings) -> None:
        self.settings = settings
        self._client: pymongo.MongoClient[Document] | None = None
        self._making = threading.Lock()

    def __reduce__(self) -> tuple[type[MongoSession], tuple[MongoSettings]]:
        return MongoSession, (self.settings,)

    @property
    def database(self) -> Database[Document]:
        """The database; nothing is contacted yet."""
        with self._making:
            if self._client is None:
                self._client = pymongo.MongoClient(**self.settings.client())
            return self._client[self.settings.database]

    @contextmanager
    def reaching(self) -> Generator[None]:
        """Failures to reach the server inside the block become StoreUnavailable."""
        try:
            yield
        except PyMongoError as error:
            unreached = isinstance(error, ConnectionFailure) or error.timeout
            if not unreached and getattr(error, "code", None) not in _REFUSED:
                raise
            raise StoreUnavailable(
                f"{self.settings.where} does not answer: {_cause(error)}. Nothing half-written is visible;"
                " see that the server runs and the MARKETING_MONGO_ settings are right, then run again"
            ) from error

    def read(self, action: Callable[[], _T]) -> _T:
        """Run a look-up, again after a lost connection."""
        for trying in _attempts():
            with trying:
                return action()
        raise AssertionError("stamina returns or raises")

    def write(self, action: Callable[[], _T]) -> _T:
        """Run something that may be repeated, again after a lost connection, within the deadline."""
        return self.read(lambda: self._in_time(action))

    def insert(self, collection: Collection[Document], documents: Sequence[Document]) -> None:
        """Insert documents that carry their `_id`, in any order; after a lost connection only the rest.

        Raises:
            ValueError: An `_id` is there already, and it was not this call that stored it.
        """
        if not documents:
            return
        for trying in _attempts():
            with trying:
                try:
                    self._in_time(lambda: collection.insert_many(documents, ordered=False))
                except BulkWriteError as error:
                    _forgive_repeated(error, first=trying.num == 1)

    def _in_time(self, action: Callable[[], _T]) -> _T:
        # A server that is not there is known after `connect_seconds`; a chunk may take much longer.
        with pymongo.timeout(self.settings.connect_seconds):
            self.database.client.admin.command("ping")
        with pymongo.timeout(self.settings.write_seconds):
            return action()

    def close(self) -> None:
        """Close the client; the next use makes a new one."""
        with self._making:
            if self._client is not None:
                self._client.close()
                self._client = None


def ids_below(prefix: str) -> Document:
    """Every `_id` that begins with the prefix and a point ("/" is the character after it)."""
    return {"$gte": f"{prefix}.", "$lt": f"{prefix}/"}


def _attempts() -> Any:
    return stamina.retry_context(on=_went_away, attempts=3, wait_initial=0.1, wait_max=1.0, timeout=None)


def _went_away(error: Exception) -> bool:
    """A connection broke. Not a deadline: who waited once that long does not want to wait again."""
    return isinstance(error, AutoReconnect) and not error.timeout


def _forgive_repeated(error: BulkWriteError, *, first: bool) -> None:
    """What an attempt before this one stored is there; anything else is an error."""
    details = error.details or {}
    repeated = [one for one in details.get("writeErrors", []) if one.get("code") == _DUPLICATE]
    if len(repeated) < len(details.get("writeErrors", [])) or details.get("writeConcernErrors"):
        raise error
    if first:
        raise ValueError(f"{len(repeated)} of the keys are there already; they must be unique") from error


def _cause(error: PyMongoError) -> str:
    # The first sentence; after it comes the state of every server known.
    return (str(error).split(" (configured timeouts")[0].split(", Timeout:")[0] or type(error).__name__)[:200]
