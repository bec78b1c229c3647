"""What deliveries may connect to."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.addresses import AddressRefused, GuardedNetwork, is_public

INTERNAL = [
    *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::"),
]


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses_however_they_are_written(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_a_private_address_is_none_in_any_clothes(address: Any) -> None:
    for written in (f"{address}", f"::ffff:{address}", f"64:ff9b::{address}"):
        assert not is_public(written)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f.1", "127.1"])
def test_a_host_inside_is_refused_before_anything_is_sent(host: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        with pytest.raises((AddressRefused, httpcore2.ConnectError)):
            asyncio.run(
                GuardedNetwork([], setting="MARKETING_WEBHOOKS_ALLOWED_HOSTS").connect_tcp(
                    host.strip("[]"), port, timeout=2
                )
            )
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("allowed", ["LOCALHOST", "localhost:{port}"])
def test_an_allowed_host_is_reached(allowed: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        async def connect() -> None:
            network = GuardedNetwork([allowed.format(port=port)], setting="MARKETING_WEBHOOKS_ALLOWED_HOSTS")
            await (await network.connect_tcp("localhost", port, timeout=2)).aclose()

        asyncio.run(connect())
        with pytest.raises(AddressRefused):
            asyncio.run(
                GuardedNetwork(
                    ["localhost:1", "example.com"], setting="MARKETING_WEBHOOKS_ALLOWED_HOSTS"
                ).connect_tcp("localhost", port)
            )


def test_a_name_with_addresses_of_both_kinds_leads_outside_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Nowhere(httpcore2.AsyncNetworkBackend):
        async def connect_tcp(self, host: str, *_: Any) -> Any:
            asked.append(host)
            raise httpcore2.ConnectError("nobody there")

    def looked_up(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, 443)) for address in ("10.0.0.7", "93.184.215.14", "1.1.1.1")]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    network = GuardedNetwork([], setting="MARKETING_WEBHOOKS_ALLOWED_HOSTS")
    network._network = Nowhere()
    with pytest.raises(httpcore2.ConnectError, match="nobody there"):
        asyncio.run(network.connect_tcp("two-faced.example.com", 443))
    assert asked == ["93.184.215.14", "1.1.1.1"]
