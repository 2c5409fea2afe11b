"""A URL that a client sent, or that a server redirected to, taken apart strictly: what is odd is refused."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass

from huatuo_server.errors import RemoteImageRefused
from huatuo_server.images.remote.origin import Origin

MAX_URL_CHARS = 8_000
"""RFC 9110, 4.1: what everybody should be able to read."""

ADVICE = "Send the image itself, as data:image/png;base64,..."

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(#.*)?", re.DOTALL)
_WRITABLE = re.compile(r"[!-\[\]-~]*")
"""ASCII without blanks, control characters and backslashes, which some readers take for slashes."""


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """origin: whom to ask. target: the path and the query, as written; the fragment is dropped."""

    origin: Origin
    target: str

    @classmethod
    def parse(cls, text: str) -> HttpUrl:
        """Raises RemoteImageRefused, also for everything that is not an absolute http or https URL."""
        if len(text) > MAX_URL_CHARS:
            raise refused(f"it is longer than {MAX_URL_CHARS} characters")
        match = _URL.fullmatch(text)
        if match is None:
            raise refused("it is not an absolute http or https URL")
        scheme, authority, target, fragment = match.groups()
        if not _WRITABLE.fullmatch(target + (fragment or "")):
            raise refused("it holds characters that must be percent-encoded")
        try:
            origin = Origin.of(scheme, authority)
        except ValueError as error:
            raise refused(str(error)) from None
        return cls(origin, target if target.startswith("/") else f"/{target}")

    def redirected(self, location: bytes) -> HttpUrl:
        """Where a Location header leads from here (RFC 9110, 10.2.2). Raises RemoteImageRefused."""
        text = location.decode("latin-1")
        if not _WRITABLE.fullmatch(text):
            raise refused("it redirects to what is not a URL")
        try:
            joined = urllib.parse.urljoin(f"{self.origin.scheme}://{self.origin.authority}{self.target}", text)
        except ValueError:
            raise refused("it redirects to what is not a URL") from None
        return HttpUrl.parse(joined)


def refused(reason: str) -> RemoteImageRefused:
    """The error for a URL that is not asked. reason: a clause of ours about `it`, holding nothing of the URL."""
    return RemoteImageRefused(f"The image's URL is not fetched: {reason}. {ADVICE}")
