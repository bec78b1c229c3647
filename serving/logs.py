"""Logging of the serving process: one JSON object per line on stdout, uvicorn's lines included.

Every line of a request carries its `request_id`. Lines are written by a thread; what happens when nobody
reads them is said in `observability/lines.py`.
"""

from __future__ import annotations

import atexit
import logging
import signal
import sys
from typing import Any

import orjson
import structlog

from serving.observability import exchange
from serving.observability.lines import Lines, to_stdout


def configure() -> None:
    """Set up structlog and let the standard library's loggers write the same lines.

    Takes SIGTERM, whose default ends a process without its exit handlers, so that the last lines are written.
    A server that handles it until it has ended raises it again afterwards.
    """
    lines = to_stdout()
    atexit.register(lines.close)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    exchange.write_to(lines)
    shared: list[Any] = [
        exchange.named,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=orjson.dumps, default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Logger(lines),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_dumps, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)


class _Logger:
    """What structlog hands rendered lines to."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def msg(self, message: bytes) -> None:
        """Write a line."""
        self._lines.write(message + b"\n")

    debug = info = warning = warn = error = exception = critical = fatal = log = msg


class _Handler(logging.Handler):
    """What the standard library hands its records to."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as a line."""
        try:
            self._lines.write(self.format(record).encode(errors="backslashreplace") + b"\n")
        except Exception:  # noqa: BLE001 -- as every handler of the library: a line breaks no request
            self.handleError(record)


def _dumps(event: Any, **options: Any) -> str:
    return orjson.dumps(event, **options).decode()
