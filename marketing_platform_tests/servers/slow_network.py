"""A TCP proxy on loopback that passes bytes on late, or not at all."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

from marketing_platform_tests.servers.base import free_port


class Line:
    """The proxy; change `delay` (seconds for every piece of an answer) or `cut` while it runs.

    It outlives the server behind it: while that is gone, connections are refused as it would refuse them.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.port = free_port()
        self.delay = 0.0
        self.cut = threading.Event()  # set: nothing comes through, and nobody is told
        self._target = target
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self) -> None:
        """Break every connection; new ones are let through."""
        _end(*self._open)

    def close(self) -> None:
        _end(self._listener, *self._open)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                self._open |= {client, server}
                threading.Thread(target=self._connect, args=(client, server), daemon=True).start()

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        """Pass bytes on both ways until both have ended; then the sockets go, of which a process has few."""
        answers = threading.Thread(target=self._pass, args=(server, client, True), daemon=True)
        answers.start()
        self._pass(client, server, late=False)
        answers.join()
        self._open -= {client, server}
        client.close()
        server.close()

    def _pass(self, source: socket.socket, sink: socket.socket, late: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                if late:
                    time.sleep(self.delay)
                while self.cut.is_set():
                    time.sleep(0.02)
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def slow_network(host: str, port: int) -> Generator[Line]:
    """A proxy in front of a server until the block ends."""
    line = Line((host, port))
    try:
        yield line
    finally:
        line.cut.clear()
        line.close()
