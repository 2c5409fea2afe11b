"""The short way of an answer's pieces to the socket."""

from __future__ import annotations

from typing import Final, Protocol

OUTLET: Final = "huatuo.outlet"
"""Its name among the extensions of an ASGI scope; only our own transport offers one."""


class Outlet(Protocol):
    """Where pieces of a body can be written at once, by a plain call.

    ASGI's way is a dictionary and a chain of eight coroutines for each, of which none looks at a piece that is neither
    the first nor the last.
    """

    @property
    def is_open(self) -> bool:
        """Whether the answer has begun and not ended, and the client reads as fast as it is written.

        Else, ASGI's `send` waits or tells.
        """
        ...

    def write(self, piece: bytes) -> None:
        """Write a piece of the body; only while `is_open`."""
        ...
