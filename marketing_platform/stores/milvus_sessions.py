"""Connections to a Milvus server: how long one is tried for, and what is told when there is none.

What is asked over a connection is the business of `vectors_milvus` and `milvus_generations`.

pymilvus opens a connection with one call that it does not repeat, and gives up a call whose connection broke
when it cannot open another at once. A server that is coming back refuses connections for a while, then
answers that it is not ready. So whoever has the time asks again here, before anything is written.

pymilvus takes two seconds and pandas to import, so nothing does before the first use.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import stamina

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.milvus_settings import MilvusSettings

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_MAY_PASS = (1, 2)  # Milvus' code for a server that is not ready, and pymilvus' for one that is not there


@contextmanager
def connected(settings: MilvusSettings, *, patient: bool) -> Generator[MilvusClient]:
    """A client, closed after the block; `patient` ones are tried for again during `retry_seconds`."""
    with reported(settings, "connect"):
        client = _patiently(settings) if patient and settings.retry_seconds else _opened(settings)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def reported(settings: MilvusSettings, what: str) -> Generator[None]:
    """StoreUnavailable for whatever Milvus or the way there fails with."""
    import grpc
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (MilvusException, grpc.RpcError) as error:
        said: Any = getattr(error, "message", None) or error
        raise StoreUnavailable(
            f"{settings.where} failed to {what}: {said}; start it, or correct MARKETING_MILVUS_…"
        ) from error


def _opened(settings: MilvusSettings) -> MilvusClient:
    from pymilvus import MilvusClient

    # Of its own: pymilvus would share one between databases of a server and between readers.
    return MilvusClient(**settings.connection(), dedicated=True)


def _patiently(settings: MilvusSettings) -> MilvusClient:
    for trying in stamina.retry_context(
        on=_may_pass, attempts=None, timeout=settings.retry_seconds, wait_initial=0.2, wait_max=2.0
    ):
        with trying:
            return _opened(settings)
    raise AssertionError("stamina returns or raises")


def _may_pass(error: Exception) -> bool:
    """Whether there is hope in waiting: not when Milvus answered that it will not have this caller."""
    import grpc
    from pymilvus.exceptions import MilvusException

    refused = (
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    )
    if not isinstance(error, MilvusException) or error.code not in _MAY_PASS:
        return False
    answer = error.__cause__
    return not (isinstance(answer, grpc.Call) and answer.code() in refused)
