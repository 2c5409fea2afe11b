"""Connections to addresses that were judged beforehand, so that no second look-up can lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import httpcore
from httpcore import AsyncNetworkStream


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Opens one connection, to the first of `addresses` that answers, whichever host is asked for.

    timeout_s: for all attempts together; each may take an equal part of it.
    """

    def __init__(self, addresses: Sequence[str], timeout_s: float) -> None:
        self._addresses = addresses
        self._attempt_s = timeout_s / max(1, len(addresses))
        self._opened: AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface; the whole is limited by the caller
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Raises httpcore.ConnectError or httpcore.ConnectTimeout, of the last address, where none answers."""
        failure: Exception = httpcore.ConnectError()
        for address in self._addresses:
            try:
                self._opened = await httpcore.AnyIOBackend().connect_tcp(
                    address, port, self._attempt_s, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return self._opened
        raise failure

    async def aclose(self) -> None:
        """Close the connection, also one whose TLS handshake was cancelled, which httpcore leaves open."""
        if self._opened is not None:
            await self._opened.aclose()
