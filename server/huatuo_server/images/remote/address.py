"""Which addresses no image may come from, whatever name leads to them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address

from huatuo_server.errors import RemoteImageFailed
from huatuo_server.images.remote.http_url import refused

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_REFUSED_IPV4 = tuple(
    ipaddress.IPv4Network(one)
    for one in (
        *("0.0.0.0/8", "127.0.0.0/8"),  # this host
        *("169.254.0.0/16", "168.63.129.16/32"),  # link-local, with the clouds' metadata; Azure's own host service
        "100.64.0.0/10",  # a carrier's own; Alibaba's metadata is 100.100.100.200
        *("192.0.0.0/24", "192.88.99.0/24"),  # protocols and relays
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15"),  # documentation and benchmarks
        *("224.0.0.0/4", "240.0.0.0/4"),  # multicast; reserved and broadcast
    )
)
"""IANA's IPv4 special-purpose registry without the private ranges: a hospital's archive lives there."""

_ASKED_IPV6 = tuple(ipaddress.IPv6Network(one) for one in ("2000::/3", "fc00::/7"))
"""Global unicast and unique local addresses: all other space is loopback, link-local, multicast or reserved."""

_REFUSED_IPV6 = tuple(
    ipaddress.IPv6Network(one)
    for one in (
        *("2001::/23", "2001:db8::/32", "3fff::/20"),  # protocols, documentation
        *("fd00:ec2::/32", "fd20:ce::/64", "fd00:c1::/64"),  # metadata of Amazon, Google and Oracle
    )
)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, each judged, in the resolver's order.

    Raises RemoteImageRefused where any one of them is refused: such a name would lead there another time.
    Raises RemoteImageFailed where the name has no address.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RemoteImageFailed("The host name in the image's URL could not be resolved.") from error
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if any(is_refused(ipaddress.ip_address(one)) for one in addresses):
        raise refused("its host name leads to an address that no image is fetched from")
    return addresses


def is_refused(address: IPv4Address | IPv6Address) -> bool:
    """Whether a name that resolves to this address is refused."""
    inner = unwrapped(address)
    if isinstance(inner, IPv4Address):
        return any(inner in network for network in _REFUSED_IPV4)
    if not any(inner in network for network in _ASKED_IPV6):
        return True
    return any(inner in network for network in _REFUSED_IPV6)


def unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one that stands for it: IPv4-mapped, 6to4, Teredo's client, NAT64."""
    if isinstance(address, IPv4Address):
        return address
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
