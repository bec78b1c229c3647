"""The event loop of the API: it takes every connection that waits, before it goes on with those it has.

uvloop takes one connection in each of its turns, and a turn is as long as there are requests to answer. In a
flood whoever came last waited for one turn per connection in front: some seconds, for a probe of health too,
until the flood's connections were taken one by one. Here all of them are taken at once, so that a turn or two
is what anybody waits. How many connections there may be is said by `connections.py`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import structlog
import uvloop

_PAUSE_SECONDS = 0.5  # when the system has no files or memory for a connection more
_log: Any = structlog.get_logger("serving.connections")


class GreedyLoop(uvloop.Loop):
    """uvloop's loop with servers that accept as asyncio's own do; what uvicorn takes as `loop`."""

    async def create_server(self, protocol_factory: Any, *given: Any, **named: Any) -> Any:
        """As uvloop does, for servers without TLS, which is left to the proxy in front."""
        backlog: int = named.get("backlog") or 100
        bound = await super().create_server(protocol_factory, *given, **{**named, "start_serving": False})
        return _Listening(self, bound, protocol_factory, backlog)


class _Listening:
    """Stands for uvloop's server, which keeps the bound sockets and takes no connection itself."""

    def __init__(
        self, loop: GreedyLoop, bound: Any, protocol_factory: Callable[[], asyncio.Protocol], backlog: int
    ) -> None:
        self._loop = loop
        self._bound = bound
        self._protocol_factory = protocol_factory
        self._backlog = backlog
        self._listening = [socket.socket(fileno=each.dup().detach()) for each in bound.sockets]
        self._taken: set[asyncio.Task[Any]] = set()
        for listening in self._listening:
            listening.setblocking(False)
            listening.listen(backlog)
            loop.add_reader(listening, self._take, listening)

    @property
    def sockets(self) -> Any:
        return self._bound.sockets

    def close(self) -> None:
        """Take no connection any more; those that were taken go on."""
        for listening in self._listening:
            self._loop.remove_reader(listening)
            listening.close()
        self._listening.clear()
        self._bound.close()

    async def wait_closed(self) -> None:
        await self._bound.wait_closed()

    def _take(self, listening: socket.socket) -> None:
        for _ in range(self._backlog):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.error("connections not taken", reason=error.strerror, seconds=_PAUSE_SECONDS)
                self._loop.remove_reader(listening)
                self._loop.call_later(_PAUSE_SECONDS, self._go_on, listening)
                return
            connection.setblocking(False)
            task = self._loop.create_task(
                self._loop.connect_accepted_socket(self._protocol_factory, connection)
            )
            self._taken.add(task)
            task.add_done_callback(self._taken.discard)

    def _go_on(self, listening: socket.socket) -> None:
        if listening in self._listening:
            self._loop.add_reader(listening, self._take, listening)
