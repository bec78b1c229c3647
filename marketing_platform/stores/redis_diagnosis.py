"""Whether Redis is ready to keep answers and to count. Nothing needs it; without it look-ups are slower."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.diagnosis import Found, timed, too_old
from marketing_platform.stores.redis_settings import RedisSettings

_OLDEST = (6,)
_PROBE = "answers:doctor"
_COUNTED = "limits:doctor"


def diagnose(settings: RedisSettings) -> Found:
    """Connect, see the version, keep a value for a moment; StoreUnavailable when there is no way in."""
    pool = redis.BlockingConnectionPool(**settings.pool(), retry=Retry(NoBackoff(), 0))
    client = redis.Redis(connection_pool=pool)
    try:
        client.ping()  # the first one connects
        _, milliseconds = timed(client.ping)
        version, missing = _version(client)
        try:
            client.set(_PROBE, b"1", px=100)
        except redis.ResponseError as error:
            missing += (
                f"nothing can be kept: {error}; allow +set +get +del on the keys answers:* and fetching:*",
            )
        try:
            client.incrby(_COUNTED, 1)
            client.expire(_COUNTED, 1)
        except redis.ResponseError as error:
            missing += (
                f"processes cannot count together: {error}; allow +get +incrby +expire on the keys limits:*",
            )
    except redis.RedisError as error:
        raise StoreUnavailable(
            f"{settings.where} does not answer within {settings.answer_seconds:g} s: {error}. See that it"
            " runs and the MARKETING_REDIS_ settings are right; the API answers without it, more slowly"
        ) from error
    finally:
        client.close()
        pool.disconnect()
    return Found(version, milliseconds, missing)


def _version(client: redis.Redis) -> tuple[str | None, tuple[str, ...]]:
    try:
        version = str(client.info("server")["redis_version"])  # pyright: ignore[reportIndexIssue]
    except redis.ResponseError:  # a user who may only read and write answers is a good one
        return None, ()
    return version, too_old(version, _OLDEST, "MARKETING_REDIS_HOST")
