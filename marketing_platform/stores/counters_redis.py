"""Counters that several processes add to, in Redis. They expire by themselves, and are lost without harm."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.redis_settings import RedisSettings

_AT_ONCE = 300  # what Redis answers well within the deadline of one command


class RedisCounters:
    """Implements `Counters`."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        # The client's own retries would multiply the deadline.
        pool = redis.BlockingConnectionPool(**settings.pool(), retry=Retry(NoBackoff(), 0))
        self._client: redis.Redis = redis.Redis(connection_pool=pool)

    def add(
        self, name: str, window: int, added: Mapping[str, int], *, seconds: int
    ) -> dict[str, tuple[int, int]]:
        """Add to the counters of a window, some hundred in one round trip."""
        sums: dict[str, tuple[int, int]] = {}
        clients = iter(added.items())
        while some := dict(islice(clients, _AT_ONCE)):
            sums |= self._add(name, window, some, seconds)
        return sums

    def _add(
        self, name: str, window: int, added: Mapping[str, int], seconds: int
    ) -> dict[str, tuple[int, int]]:
        pipeline = self._client.pipeline(transaction=False)
        for client, number in added.items():
            key = _key(name, window, client)
            pipeline.get(_key(name, window - 1, client))
            pipeline.incrby(key, number)
            pipeline.expire(key, 2 * seconds + 1)
        try:
            answers = pipeline.execute()
        except redis.RedisError as error:
            raise StoreUnavailable(
                f"{self._settings.where} did not count within {self._settings.answer_seconds:g} s:"
                f" {type(error).__name__}"
            ) from error
        return {
            client: (int(answers[3 * at] or 0), int(answers[3 * at + 1])) for at, client in enumerate(added)
        }

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _key(name: str, window: int, client: str) -> str:
    return f"limits:{name}:{window}:{client}"
