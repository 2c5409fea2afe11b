"""Addresses are judged by what they stand for, private ones are asked, and one bad address spoils a name."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from huatuo_server.errors import RemoteImageFailed, RemoteImageRefused
from huatuo_server.images.remote.address import is_refused, resolve
from tests.server.images.remote.listening import Network

ASKED = [
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12:3456::1"),
    *("93.184.216.34", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.0.1", "223.255.255.255"),
    *("2606:2800:220:1::1", "64:ff9b::5db8:d822", "::ffff:10.0.0.1", "2002:5db8:d822::1"),
]

REFUSED = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "168.63.129.16", "100.100.100.200"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "100::1", "5f00::1", "4000::1"),
    *("2001:db8::1", "2001:2::1", "3fff::1", "64:ff9b:1::a00:1"),
    *("fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
]


@pytest.mark.parametrize("address", ASKED)
def test_public_and_private_addresses_are_asked(address: str) -> None:
    """A hospital's archive has a private address, and the operator named its host."""
    assert not is_refused(ip_address(address))


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_no_archive_has_are_refused(address: str) -> None:
    """This host, link-local, metadata, multicast, reserved, documentation, and IPv6 that stands for such IPv4."""
    assert is_refused(ip_address(address))


def test_a_name_gives_its_addresses_once_each_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver repeats an address for every kind of socket."""
    network = Network(monkeypatch)
    network.names["pacs.example.org"] = [["fd12::1", "10.1.2.3", "fd12::1"]]
    assert asyncio.run(resolve("pacs.example.org", 443)) == ["fd12::1", "10.1.2.3"]


def test_a_name_with_one_refused_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Good ones beside it do not help: another look-up would put it first."""
    network = Network(monkeypatch)
    network.names["pacs.example.org"] = [["10.1.2.3", "93.184.216.34", "127.0.0.1"]]
    with pytest.raises(RemoteImageRefused):
        asyncio.run(resolve("pacs.example.org", 443))


def test_an_unknown_name_is_a_failure_that_does_not_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's text holds the name; ours does not."""
    Network(monkeypatch)
    with pytest.raises(RemoteImageFailed) as caught:
        asyncio.run(resolve("secret.example.org", 443))
    assert "secret" not in caught.value.message
