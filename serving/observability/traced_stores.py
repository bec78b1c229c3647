"""Spans around what the API asks of datastores and of the encoder, put on from outside.

Used only where traces are on, so that nobody pays for them otherwise. A span is named after the role and the
question, and says which implementation was asked; questions and answers themselves are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, cast

from marketing_platform.encoders import Encoder
from marketing_platform.stores.protocols import Answers, Graphs, Vectors, Warehouse
from marketing_platform.stores.registry import Stores
from serving.observability import tracing


def traced(stores: Stores) -> Stores:
    """The same stores; what is read through them makes spans."""
    return replace(
        stores,
        answers=cast(Answers, _Traced(stores.answers, opened={"get": "answers get"})),
        graphs=cast(Graphs, _Traced(stores.graphs, opened={"run": "graph query"})),
        vectors=cast(Vectors, _Traced(stores.vectors, opened={"search": "vector search"})),
        warehouse=cast(Warehouse, _Traced(stores.warehouse, {"query": "warehouse query"})),
    )


def traced_encoder(encoder: Encoder) -> Encoder:
    """The same encoder; every call of it makes a span."""
    return cast(Encoder, _Traced(encoder, {"encode": "encode"}))


class _Traced:
    """Stands before something and passes everything on, some calls within spans.

    Args:
        inner: What is asked.
        spans: Methods to time, and the names of their spans.
        opened: The same for what the method `open` returns.
    """

    def __init__(
        self, inner: Any, spans: Mapping[str, str] | None = None, *, opened: Mapping[str, str] | None = None
    ) -> None:
        self._inner = inner
        self._spans = spans or {}
        self._opened = opened

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "open" and self._opened is not None:
            opened = self._opened
            return lambda *args, **named: _Traced(found(*args, **named), opened)
        if name not in self._spans:
            return found
        span, store = self._spans[name], type(self._inner).__name__

        @wraps(found)
        def timed(*args: Any, **named: Any) -> Any:
            with tracing.span(span, **{"marketing.store": store}):
                return found(*args, **named)

        return timed
