"""Authorities and certificates for tests, and a terminator that puts TLS in front of a plain server."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """PEM files below one folder; every server certificate is of the authority in `ca`."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def stranger(self) -> Path:
        """Another authority, which signed nothing here."""
        return self.folder / "stranger.pem"

    def server(self, name: str) -> tuple[Path, Path]:
        """Certificate chain and key of `valid` (for localhost, not 127.0.0.1) or `expired`."""
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


def make(folder: Path) -> Certificates:
    """Write all of them."""
    made = Certificates(folder)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made.ca))
    trustme.CA(organization_name="stranger").cert_pem.write_to_path(str(made.stranger))
    for name, ends in (("valid", None), ("expired", datetime(2020, 1, 1, tzinfo=UTC))):
        issued = authority.issue_cert("localhost", not_after=ends)
        chain, key = made.server(name)
        chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        key.chmod(0o600)
    return made


@contextmanager
def terminating_tls(target: tuple[str, int], certificate: tuple[Path, Path]) -> Generator[int]:
    """A port on loopback that speaks TLS and hands the plain bytes to `target`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2"])  # gRPC insists on it, the others do not ask
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, target), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext, target: tuple[str, int]) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, context, target), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext, target: tuple[str, int]) -> None:
    with (
        suppress(OSError),
        context.wrap_socket(client, server_side=True) as inner,
        socket.create_connection(target) as server,
    ):
        back = threading.Thread(target=_copy, args=(server, inner), daemon=True)
        back.start()
        _copy(inner, server)
        back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
