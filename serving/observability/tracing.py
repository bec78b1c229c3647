"""Traces with OpenTelemetry: off, and free of cost, unless the environment says where they go.

`OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`, or `OTEL_TRACES_EXPORTER=otlp`) turns them on, and
every other variable of the specification holds, for the SDK reads them itself. It comes with the extra
`tracing`. FastAPI's own tracing stays off: it writes path and query into spans, and ours name users.
Attributes here are templates, names of stores and ids of releases; of an exception only the type.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import structlog
from opentelemetry import context, propagate, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, TracerProvider
from starlette.types import Scope

from marketing_platform import __version__

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVICE = "marketing-api"
_NOTHING: AbstractContextManager[None] = nullcontext()
_log: Any = structlog.get_logger("serving.tracing")


class _State:
    tracer: Tracer | None = None


def on() -> bool:
    """Whether spans are made."""
    return _State.tracer is not None


def use(provider: TracerProvider | None) -> None:
    """Make spans with this provider from now on; None: make none."""
    _State.tracer = provider.get_tracer("marketing_platform", __version__) if provider else None


def configure() -> Callable[[], None]:
    """Make spans if the environment asks for them; returns what sends the last ones at the end."""
    if not _asked_for():
        return _nothing_to_send
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider as Sdk
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        # A cluster may set the variables for every pod: no reason not to answer.
        _log.warning(
            "no traces", reason=f"{error.name} is not installed", remedy="install marketing-platform[tracing]"
        )
        return _nothing_to_send
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: _SERVICE}
    provider = Sdk(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider)
    _log.info("traces are sent")
    return provider.shutdown


def span(name: str, **attributes: str | int) -> AbstractContextManager[None]:
    """A span around a block; its parent is the one at hand. Nothing where spans are off."""
    tracer = _State.tracer
    return _NOTHING if tracer is None else _span(tracer, name, attributes)


class ServerSpan:
    """The span of one request, a child of the client's where a `traceparent` names one."""

    def __init__(self, scope: Scope) -> None:
        tracer = _State.tracer
        if tracer is None:
            raise RuntimeError("spans are off; ask `on` first")
        parent = propagate.extract(scope["headers"], getter=_HEADERS)
        self._span = tracer.start_span(
            "request",
            context=parent,
            kind=SpanKind.SERVER,
            attributes={"url.scheme": str(scope.get("scheme", "http"))},
        )
        self.trace_id = trace.format_trace_id(self._span.get_span_context().trace_id)
        self._token = context.attach(trace.set_span_in_context(self._span, parent))

    def end(
        self,
        method: str,
        route: str | None,
        status: int | None,
        release_id: str | None,
        failed: BaseException | None,
    ) -> None:
        """Name the span after what is known by now, and end it."""
        self._span.update_name(f"{method} {route}" if route else method)
        self._span.set_attribute("http.request.method", method)
        for name, value in (
            ("http.route", route),
            ("http.response.status_code", status),
            ("marketing.release_id", release_id),
        ):
            if value is not None:
                self._span.set_attribute(name, value)
        if failed is not None:
            _mark(self._span, failed)
        elif status is None or status >= 500:  # noqa: PLR2004 -- HTTP's class of our own failures
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)
        self._span.end()
        context.detach(self._token)


class _Headers(Getter[list[tuple[bytes, bytes]]]):
    def get(self, carrier: list[tuple[bytes, bytes]], key: str) -> list[str] | None:
        wanted = key.lower().encode()
        return [value.decode("latin-1") for name, value in carrier if name == wanted] or None

    def keys(self, carrier: list[tuple[bytes, bytes]]) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS = _Headers()


@contextmanager
def _span(tracer: Tracer, name: str, attributes: dict[str, str | int]) -> Generator[None]:
    # What an exception says may quote data: its type has to do.
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as made:
        try:
            yield
        except BaseException as error:
            _mark(made, error)
            raise


def _mark(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(StatusCode.ERROR)


def _asked_for() -> bool:
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    return exporter == "otlp" or any(os.environ.get(name) for name in _ENDPOINTS)


def _nothing_to_send() -> None:
    """What ends tracing that never began."""
