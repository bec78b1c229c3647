"""Connections, around requests: how long a head may take, how large it may be, how many wait, who reads.

uvicorn has no such limits with httptools (its `limit_concurrency` turns everybody away alike), and ASGI
middleware sees a request only when its head is complete. What uvicorn itself would answer as plain text has
our body here. A new connection is always taken: when there are too many, the one that has waited longest
for a request to be sent is closed, so that somebody who opens thousands closes his own.
"""

from __future__ import annotations

import asyncio
import resource
import select
import uuid
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from itertools import islice
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving import errors
from serving.limits.paths import is_probe
from serving.limits.settings import LimitSettings
from serving.limits.shedding import ARRIVED
from serving.observability import metrics, security

_LINGER_SECONDS = 2.0  # for a client to read an answer that came before its body was sent
_LINGER_BYTES = 1 << 20
_OTHER_FILES = 256  # that a process needs besides its connections
_LOOKED_AT = 100  # of those that wait, to find one that has sent nothing
_log: Any = structlog.get_logger("serving.connections")


class Waiting:
    """The connections of a process that have no request under way, the longest waiting first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.closed_early = 0
        self._connections: OrderedDict[GuardedProtocol, None] = OrderedDict()

    def add(self, connection: GuardedProtocol) -> None:
        """From now on it waits."""
        self._connections[connection] = None

    def remove(self, connection: GuardedProtocol) -> None:
        """It is gone, or has sent the head of a request."""
        self._connections.pop(connection, None)

    def make_room(self, open_connections: int) -> None:
        """Close those that waited longest and have sent nothing, as long as there are too many."""
        while open_connections > self.most:
            oldest = islice(self._connections, _LOOKED_AT)
            connection = next((each for each in oldest if not each.has_sent()), None)
            if connection is None:
                return
            self.remove(connection)
            connection.transport.abort()
            self.closed_early += 1
            open_connections -= 1


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *given: Any, settings: LimitSettings, waiting: Waiting, **named: Any) -> None:
        super().__init__(*given, **named)
        self._settings = settings
        self._waiting = waiting
        self._refusal: str | None = None
        self._refused = False
        self._in_head = False
        self._in_body = False
        self._answering = False
        self._head_bytes = 0
        self._discarded = 0
        self._timer: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._waiting.add(self)
        self._waiting.make_room(len(self.connections))
        self._close_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._waiting.remove(self)
        self._stop_timer()
        self._taken()
        super().connection_lost(exc)

    def has_sent(self) -> bool:
        """Whether bytes of it wait to be read: in a flood, connections are taken before that."""
        waiting = select.poll()
        waiting.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(waiting.poll(0))

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that goes on and on is refused before it is whole."""
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_body or self._answering or self._refused:
            return
        if self._head_bytes > self._settings.target_bytes + self._settings.header_bytes:
            self._refuse("headers_too_large")  # its target is not: that is looked at piece by piece
        elif self._timer is None:
            self._close_later()

    def pause_writing(self) -> None:
        """The client does not take its answers; it has as long for that as they may take."""
        super().pause_writing()
        self._untaken = self.loop.call_later(self._settings.request_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._taken()

    def on_message_begin(self) -> None:
        """A request begins; with pipelining, perhaps while another is answered."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        """Refuse a target that is too long."""
        super().on_url(url)
        if len(self.url) > self._settings.target_bytes:
            self._give_up("target_too_long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Refuse too many headers."""
        super().on_header(name, value)
        if len(self.headers) > self._settings.headers:
            self._give_up("headers_too_large")

    def on_headers_complete(self) -> None:
        """The head is there: from here on the application's own limits hold.

        Except one: when so many are under way, a request more is refused before anything is made for it.
        `Shedding` has the same bound, but sees a request only when its turn has come.
        """
        if len(self.tasks) >= self._settings.at_once and not is_probe(self.url.partition(b"?")[0].decode()):
            metrics.shed("overload")
            self._give_up("overloaded")
        self._in_head, self._head_bytes = False, 0
        self._in_body = self._answering = True
        self._stop_timer()
        self._waiting.remove(self)
        self.scope["state"][ARRIVED] = self.loop.time()  # type: ignore[typeddict-item]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; of one whose answer is out already, only so much."""
        super().on_body(body)
        if not self._answering:
            self._discarded += len(body)
            if self._discarded > _LINGER_BYTES:
                self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """The request is there as a whole; the next bytes are another one's."""
        super().on_message_complete()
        self._in_body, self._discarded = False, 0
        if not self._answering:
            self._wait(self._settings.idle_seconds)

    def on_response_complete(self) -> None:
        """Answered. If the body is still on its way, its sender gets a moment to read the answer."""
        self._answering = bool(self.pipeline)
        super().on_response_complete()
        if self._answering or self.transport.is_closing():
            return
        if self._in_body:
            self._unset_keepalive_if_required()
            self._wait(_LINGER_SECONDS)
        else:
            self._waiting.add(self)  # uvicorn's own timer runs

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for anything it cannot parse."""
        self._refuse(self._refusal or "malformed_request")

    def _give_up(self, code: str) -> None:
        """Called by the parser: what is raised in it comes out of it as a parser's error."""
        self._refusal = code
        raise httptools.HttpParserError(code)

    def _close_later(self) -> None:
        self._timer = self.loop.call_later(self._settings.header_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        if self._in_head:
            self._refuse("request_too_slow")
        else:
            self.transport.close()  # there is no request that an answer could be for

    def _refuse(self, code: str) -> None:
        """Answer in the application's stead; what else comes is not looked at."""
        self._refused = True
        if self._answering:
            if self.cycle.response_started:
                self.transport.abort()  # the middle of an answer is no place for another
                return
            self.cycle.disconnected = True  # the application is not to answer, too
            self.cycle.message_event.set()
        request_id = uuid.uuid4().hex
        answer = errors.render(code, request_id)
        status = HTTPStatus(answer.status_code)
        security.refused_unseen(status, code, self.client[0] if self.client else None)
        _log.info(
            "request", request_id=request_id, method=None, route=None, status=int(status), error_code=code
        )
        head = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
        head += [name + b": " + value for name, value in answer.raw_headers]
        head += [b"x-request-id: " + request_id.encode(), b"connection: close", b"", b""]
        self.transport.write(b"\r\n".join(head) + bytes(answer.body))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        # Closed at once, what is unread would make TCP take the answer back.
        self._wait(_LINGER_SECONDS)

    def _wait(self, seconds: float) -> None:
        self._waiting.add(self)
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.close)

    def _taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def guarded(settings: LimitSettings) -> Callable[..., GuardedProtocol]:
    """What uvicorn takes as `http`. As many files as the system allows may be open from now on."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = min(settings.connections, hard - _OTHER_FILES) if hard > 0 else settings.connections
    return partial(GuardedProtocol, settings=settings, waiting=Waiting(max(most, 1)))
