"""Answers behind a Redis cache: look there first, then in the store, and keep what was found.

A key of the cache carries the identity of the set it belongs to, which no other set has: there is
nothing to invalidate, and what a new release says cannot be hidden by what an old one said. Answers
that nobody asks for any more expire.

Redis is never needed. A look-up that fails there, or takes too long, is answered by the store, and
the cache is left alone for a moment (a circuit breaker).
When an answer that many want is missing, one of them fetches it and the others wait briefly for it
(a lock in Redis that expires by itself; whoever waited in vain asks the store).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pyarrow as pa
import redis
import structlog
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketing_platform.stores.breaker import Breaker
from marketing_platform.stores.protocols import Answers, AnswersReader
from marketing_platform.stores.redis_settings import RedisSettings

_T = TypeVar("_T")
_UNKNOWN = b"-"  # no JSON document
_LOCK_MS = 1000  # a fetch that takes longer is no longer waited for
_WAIT = 0.1  # seconds for somebody else's fetch
_LOOK_AGAIN = 0.005
_JITTER = 0.1  # share of the time to live, so that what was kept together does not expire together
_LOOKED_UP = Counter(
    "marketing_answers_cache", "Answers that the cache had, or that the store was asked for.", ["result"]
)
_HITS, _MISSES = _LOOKED_UP.labels("hit"), _LOOKED_UP.labels("miss")
_log: Any = structlog.get_logger("stores.answers_cached")


class Cache:
    """Bytes in Redis; every failure means "not there", and then nothing is asked for a moment."""

    def __init__(self, settings: RedisSettings) -> None:
        self.settings = settings
        self.breaker = Breaker(failures=1, pause_seconds=settings.pause_seconds)
        # The client's own retries would multiply the deadline.
        pool = redis.BlockingConnectionPool(**settings.pool(), retry=Retry(NoBackoff(), 0))
        self._client: redis.Redis = redis.Redis(connection_pool=pool)

    def get(self, key: str) -> bytes | None:
        """What is kept under the key."""
        return self._ask(lambda: self._client.get(key), None)

    def keep(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for about so long, and let go of the right to fetch it."""
        milliseconds = round(1000 * seconds * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 -- no secret
        pipeline = self._client.pipeline(transaction=False)
        pipeline.set(key, value, px=milliseconds)
        pipeline.delete(_lock(key))
        self._ask(pipeline.execute, None)

    def may_fetch(self, key: str) -> bool:
        """Whether the caller is the one who fetches the value; true when Redis cannot say."""
        return bool(self._ask(lambda: self._client.set(_lock(key), b"1", nx=True, px=_LOCK_MS), True))

    def wait_for(self, key: str) -> bytes | None:
        """The value that somebody else fetches, or None after a short while."""
        ends = time.monotonic() + _WAIT
        while time.monotonic() < ends and self.breaker.state == "closed":
            time.sleep(_LOOK_AGAIN)
            value = self.get(key)
            if value is not None:
                return value
        return None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, command: Callable[[], Any], otherwise: _T) -> Any | _T:
        if not self.breaker.admits():
            return otherwise
        try:
            answer = command()
        except redis.RedisError as error:
            if self.breaker.failed():
                _log.warning("cache left alone", where=self.settings.where, reason=type(error).__name__)
            return otherwise
        if self.breaker.succeeded():
            _log.info("cache is back", where=self.settings.where)
        return answer


class CachedAnswersReader:
    """Implements `AnswersReader`."""

    def __init__(self, reader: AnswersReader, cache: Cache) -> None:
        self.identity = reader.identity
        self._reader = reader
        self._cache = cache

    def get(self, key: str) -> bytes | None:
        """The answer of `key`, or None."""
        cached = f"answers:{self.identity}:{key}"
        value = self._cache.get(cached)
        if value is None:
            # Looked at again by whoever may fetch: somebody may have done so in between.
            may_fetch = self._cache.may_fetch(cached)
            value = self._cache.get(cached) if may_fetch else self._cache.wait_for(cached)
        if value is None:
            _MISSES.inc()
            return self._fetch(key, cached)
        _HITS.inc()
        return None if value == _UNKNOWN else value

    def close(self) -> None:
        """Close the store's reader; the connections to the cache belong to the store."""
        self._reader.close()

    def _fetch(self, key: str, cached: str) -> bytes | None:
        answer = self._reader.get(key)
        settings = self._cache.settings
        if answer is None:
            self._cache.keep(cached, _UNKNOWN, settings.unknown_ttl_seconds)
        else:
            self._cache.keep(cached, answer, settings.ttl_seconds)
        return answer


class CachedAnswers:
    """Implements `Answers` over another one."""

    def __init__(self, answers: Answers, settings: RedisSettings) -> None:
        self._answers = answers
        self._settings = settings
        self._cache: Cache | None = None
        self._making = threading.Lock()

    def __reduce__(self) -> tuple[type[CachedAnswers], tuple[Answers, RedisSettings]]:
        return CachedAnswers, (self._answers, self._settings)

    def open(self, name: str) -> CachedAnswersReader:
        """A reader of `name`; UnknownName when nothing complete is there."""
        return CachedAnswersReader(self._answers.open(name), self._shared_cache())

    def write(self, name: str, chunks: Iterable[pa.Table]) -> int:
        """Store the answers of `name`; the cache learns of them when they are asked for."""
        return self._answers.write(name, chunks)

    def count(self, name: str) -> int:
        """How many answers `name` holds."""
        return self._answers.count(name)

    def names(self) -> list[str]:
        """Every complete set of answers."""
        return self._answers.names()

    def drop(self, name: str) -> None:
        """Remove a set of answers; what the cache holds of it expires."""
        self._answers.drop(name)

    def _shared_cache(self) -> Cache:
        """One for all readers of the process: they share connections, and what is known of failures."""
        with self._making:
            if self._cache is None:
                self._cache = Cache(self._settings)
            return self._cache


def _lock(key: str) -> str:
    return f"fetching:{key}"
