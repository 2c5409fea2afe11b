"""A request's body, which counts as long as somebody needs it."""

from __future__ import annotations

from types import TracebackType

from huatuo_server.admission.budget import Budget
from huatuo_server.admission.flow import Claimant


class Body:
    """A request's body and its part of the budget; both go as soon as nobody needs them."""

    def __init__(self, budget: Budget, claimant: Claimant) -> None:
        self.reserved = budget.reservation(claimant)
        self.received = bytearray()

    def take(self) -> bytearray:
        """The bytes; whoever takes them is the only one to hold them."""
        received, self.received = self.received, bytearray()
        return received

    def __enter__(self) -> Body:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Its images are prepared, or it failed: the next request may come in."""
        self.received = bytearray()
        self.reserved.release()
