"""The id of a request, and the trace it belongs to: taken from the client if sane, made otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import getrandbits

_SANE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
# W3C Trace Context, section 3.2: version (not ff), trace id and parent id (neither all zero), flags.
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


def made() -> str:
    """A new id: 128 random bits in hexadecimal digits.

    They come from the generator that every process seeds from the operating system, which costs a fifth of a
    UUID. An id distinguishes requests and protects nothing, so it may be guessed.
    """
    return f"{getrandbits(128):032x}"


def of(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str | None]:
    """The request's id and, where there is one, the trace id, from headers as ASGI gives them.

    A trace has many requests, so a `traceparent` does not become the request's id.
    """
    request_id = trace_id = None
    for name, value in headers:
        if name == b"x-request-id":
            if request_id is None and _SANE.fullmatch(value):
                request_id = value.decode("ascii")
        elif name == b"traceparent" and (found := _TRACEPARENT.fullmatch(value)):
            trace_id = found[1].decode("ascii")
    return request_id or made(), trace_id
