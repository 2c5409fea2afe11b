"""Where an image may come from: scheme, host and port, in the one form in which they are compared."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import idna

from huatuo_server.errors import SettingsError

DEFAULT_PORTS = {"http": 80, "https": 443}

MAX_HOST_CHARS = 253
"""Of a host name in the DNS (RFC 1035, 2.3.4: 255 octets with their lengths)."""

_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"(?=.{1,63}\Z)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Origin:
    """host: lower-case ASCII without a last dot, or an address; an IPv6 one is compressed and without its brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of_entry(cls, entry: str) -> Origin:
        """Read what an operator wrote: `https://HOST`, `http://HOST:PORT`, or `HOST:PORT`, which is https.

        Raises SettingsError, which names the entry.
        """
        scheme, separator, authority = entry.partition("://")
        try:
            return cls.of(scheme, authority) if separator else cls.of("https", entry)
        except ValueError as error:
            raise SettingsError(
                f"--remote-images: {entry!r} is not an origin: {error}; write https://HOST, https://HOST:PORT or "
                "http://HOST:PORT, without a path, a query, a user name or a wildcard"
            ) from None

    @classmethod
    def of(cls, scheme: str, authority: str) -> Origin:
        """Raises ValueError, whose text says what is wrong and holds nothing of what was given."""
        if scheme.lower() not in DEFAULT_PORTS:
            raise ValueError("its scheme is not http or https")
        if "@" in authority:
            raise ValueError("it holds a user name")
        match = _AUTHORITY.fullmatch(authority)
        if match is None:
            raise ValueError("its host or its port is malformed")
        port = int(match["port"] or DEFAULT_PORTS[scheme.lower()])
        if port > 65535:
            raise ValueError("its port is above 65535")
        return cls(scheme.lower(), _host(match["host"]), port)

    @property
    def is_literal(self) -> bool:
        """Whether the host is an address, which needs no resolving."""
        return ":" in self.host or _ends_in_a_number(self.host)

    @property
    def authority(self) -> str:
        """Host and port as in a Host header: IPv6 in brackets, a default port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def _host(text: str) -> str:
    if text.startswith("["):
        return _ipv6(text[1:-1])
    if len(text) > MAX_HOST_CHARS + 1:
        raise ValueError("its host is too long")
    name = ".".join(_ascii(label) for label in text.removesuffix(".").split("."))
    if _ends_in_a_number(name):
        return _ipv4(name)
    if len(name) > MAX_HOST_CHARS or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("its host is not a name")
    return name


def _ends_in_a_number(host: str) -> bool:
    """Such a host is an IPv4 address to most readers, 0x7f.1 and 2130706433 included (WHATWG URL, 3.5)."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _ipv4(text: str) -> str:
    """Four decimal numbers without leading zeros, and nothing else."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError("its host is a number, but not an IPv4 address of four plain decimal numbers") from None


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError("its host is not an IPv6 address") from None
    if address.scope_id is not None:
        raise ValueError("its address has a zone")
    return address.compressed


def _ascii(label: str) -> str:
    """Lower case, and IDNA 2008 without any mapping: letters that only look like others make another name."""
    lower = label.lower()
    if lower.isascii():
        return lower
    try:
        return idna.alabel(lower).decode("ascii")
    except ValueError:
        raise ValueError("its host is not a name, also not an international one") from None
