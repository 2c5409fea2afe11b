"""An image's URL -> its bytes, from origins that the operator listed and from nowhere else."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import httpcore

from huatuo_server.errors import BodyTooLarge, RemoteImageFailed, RemoteImageRefused, RequestError
from huatuo_server.images.remote.address import resolve
from huatuo_server.images.remote.http_url import ADVICE, HttpUrl, refused
from huatuo_server.images.remote.origin import Origin
from huatuo_server.images.remote.pinned import PinnedBackend

MAX_REDIRECTS = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_HEADERS = (
    ("Accept", "image/*, application/dicom"),
    ("Accept-Encoding", "identity"),
    ("Connection", "close"),
)

Admit = Callable[[int], None]
"""Raises RequestError where there is no room for so many bytes."""


class RemoteImages:
    """Fetches images over connections of their own, one a request: nothing is shared between two, nothing kept.

    allowed: origins, as `Origin.of_entry` reads them; where there are none, nothing is fetched.
    max_bytes: of one image. timeout_s: for one image, from its name's look-up to its last byte, redirects included.

    Certificates are checked against the system's authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name for
    OpenSSL: a hospital often has its own. No proxy of the environment is used, no cookie kept, no password sent.

    Raises SettingsError, at construction, for an entry that is not an origin.
    """

    def __init__(self, allowed: Sequence[str], max_bytes: int, timeout_s: float) -> None:
        self._allowed = frozenset(Origin.of_entry(entry) for entry in allowed)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context() if self._allowed else None

    async def fetch(self, url: str, admit: Admit = lambda num_bytes: None) -> bytes:
        """The body behind a URL, as it was sent; what it is, its bytes must tell.

        admit: told how many bytes there will be, before they are kept; whatever it raises ends the fetch.

        Raises RemoteImageRefused (a URL, a redirect or an address that is not asked), RemoteImageFailed (no answer,
        another status than 200, too slow, compressed) and BodyTooLarge. None names the URL, the host or an address.
        """
        if not self._allowed:
            raise RemoteImageRefused(f"This server fetches no images. {ADVICE}")
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(self._checked(HttpUrl.parse(url)), admit)
        except TimeoutError:
            raise RemoteImageFailed(
                f"The image's URL did not give it within {self._timeout_s:g} seconds (--remote-timeout-s)."
            ) from None

    def _checked(self, url: HttpUrl) -> HttpUrl:
        if url.origin not in self._allowed:
            raise refused("its origin is not one that this server asks (--remote-images)")
        return url

    async def _follow(self, url: HttpUrl, admit: Admit) -> bytes:
        """Each redirect is checked as if the client had sent it."""
        for _ in range(MAX_REDIRECTS + 1):
            async with self._asked(url) as response:
                if response.status not in _REDIRECTS:
                    return await self._body(response, admit)
                url = self._checked(url.redirected(_location(response)))
        raise RemoteImageFailed(f"The image's URL redirects more than {MAX_REDIRECTS} times.")

    @asynccontextmanager
    async def _asked(self, url: HttpUrl) -> AsyncIterator[httpcore.Response]:
        """The head of the answer, the body still to be read; the connection is closed at the end, however it comes.

        An address that the operator wrote is the one that is asked; the addresses of a name are judged.
        """
        origin = url.origin
        addresses = [origin.host] if origin.is_literal else await resolve(origin.host, origin.port)
        backend = PinnedBackend(addresses, self._timeout_s)
        where = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=url.target)
        connection = httpcore.AsyncHTTPConnection(where.origin, ssl_context=self._tls, network_backend=backend)
        try:
            async with connection.stream("GET", where, headers=[("Host", origin.authority), *_HEADERS]) as response:
                yield response
        except RequestError:
            raise
        except Exception as error:  # the other side chooses what the libraries stumble over
            raise _failure(error) from error
        finally:
            await backend.aclose()

    async def _body(self, response: httpcore.Response, admit: Admit) -> bytes:
        if response.status != 200:
            raise RemoteImageFailed(f"The image's URL was answered with the status {response.status}.")
        if any(value.strip().lower() != b"identity" for value in _values(response, b"content-encoding")):
            raise RemoteImageFailed("The image's URL was answered with compressed content, which was not asked for.")
        if any(int(value) > self._max_bytes for value in _values(response, b"content-length")):
            raise self._too_large()
        body = io.BytesIO()  # it gives its bytes away without a copy, which a bytearray cannot
        async for piece in response.aiter_stream():
            if body.tell() + len(piece) > self._max_bytes:
                raise self._too_large()
            admit(body.tell() + len(piece))
            body.write(piece)
            await asyncio.sleep(0)  # thousands of tiny chunks may come at once; others want to run in between
        return body.getvalue()

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The image is larger than {self._max_bytes} bytes (--max-image-bytes).")


def _location(response: httpcore.Response) -> bytes:
    locations = list(_values(response, b"location"))
    if len(locations) != 1:
        raise RemoteImageFailed("The image's URL redirects, but not to one place.")
    return locations[0]


def _values(response: httpcore.Response, name: bytes) -> Iterator[bytes]:
    """Every value of a header. A Content-Length is one number here: h11 refuses other ones."""
    return (value for key, value in response.headers if key.lower() == name)


def _failure(error: Exception) -> RemoteImageFailed:
    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return RemoteImageFailed(
            "The image's URL was not asked: its certificate is for another name, expired, or of an unknown authority."
        )
    return RemoteImageFailed("The image's URL could not be reached, or its answer broke off or was malformed.")
