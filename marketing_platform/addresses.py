"""Which addresses we connect to for others: a name is looked up once, judged, and that address is used.

So no name that points inside, today or by the next look-up, reaches a server of the company or the cloud's
metadata through us.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import cast
from urllib.parse import urlsplit

import httpcore2
from httpcore2 import AsyncNetworkBackend, AsyncNetworkStream

# Public by their looks, but they stand for any IPv4 address: NAT64 and 6to4.
_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("2002::/16"))


class AddressRefused(Exception):
    """Every address of a host is internal, and the host is not allowed."""


def host_of(url: str) -> tuple[str, int]:
    """Host, in lower case, and port of a URL; ValueError where it has none."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(url)
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def is_allowed(host: str, port: int, allowed: Iterable[str]) -> bool:
    """Whether the operator allows to reach it wherever it is, and without TLS."""
    names = {name.lower() for name in allowed}
    return host.lower() in names or f"{host.lower()}:{port}" in names


def is_public(address: str) -> bool:
    """Whether an IP address is of the internet: no private network, link-local, multicast or this machine."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


class GuardedNetwork(AsyncNetworkBackend):
    """Connects for `httpcore2` to public addresses, and to whatever the operator allows.

    Args:
        allowed: Hosts, with a port or without, that may have internal addresses.
        setting: The variable that names them, for who reads the refusal.
    """

    def __init__(self, allowed: Collection[str], *, setting: str) -> None:
        self._allowed = allowed
        self._setting = setting
        self._network = cast("AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """A connection to the first address of the host that may be reached and answers."""
        addresses = await self._addresses(host, port)
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} cannot be looked up") from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if is_allowed(host, port, self._allowed):
            return addresses
        public = [address for address in addresses if is_public(address)]
        if addresses and not public:
            raise AddressRefused(f"{host} has an internal address; {self._setting} names hosts that may")
        return public
