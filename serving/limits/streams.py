"""Bodies that are streamed in: taken in portions, and ended when their sender falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

from starlette.requests import ClientDisconnect

from serving.errors import ApiError

_PORTION = 1 << 20  # bytes that are worth a thread


async def portions(chunks: AsyncIterable[bytes], *, idle_seconds: float) -> AsyncGenerator[bytes]:
    """The body in portions of a MiB or more, and a last one that may be empty.

    Raises:
        ApiError: `request_too_slow` when nothing came for so long; `malformed_stream` when it broke off.
    """
    gathered = bytearray()
    iterator = aiter(chunks)
    while True:
        try:
            gathered += await asyncio.wait_for(anext(iterator), idle_seconds)
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise ApiError("request_too_slow", seconds=idle_seconds) from None
        except ClientDisconnect:  # nobody hears it; the log shows what it was
            raise ApiError("malformed_stream", problem="the upload broke off") from None
        if len(gathered) >= _PORTION:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)
