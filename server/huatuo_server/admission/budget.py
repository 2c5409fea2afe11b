"""How many bytes and pixels may be in flight, judged before anything is decoded."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from huatuo_server.admission.flow import Claimant, Flow
from huatuo_server.errors import ServerBusy


class Budget:
    """A quantity of which no more than `limit` may be in flight. unit: its name. setting: the flag that limits it."""

    def __init__(self, unit: str, limit: int, setting: str) -> None:
        self.unit = unit
        self.limit = limit
        self.setting = setting
        self.in_flight = 0
        self._held: Counter[Flow | Claimant] = Counter()

    def reservation(self, claimant: Claimant) -> Reservation:
        """An empty one, to be grown; `with` gives it all back. A request may have several."""
        return Reservation(self, claimant)

    def fits(self, claimant: Claimant, amount: int) -> bool:
        """Whether so much more may be taken: as much as is free, and no more in all of a flow than is free.

        Dynamic thresholds (Choudhury & Hahne 1998), as for the places of the queue: one flow gets half, n get 1/(n + 1)
        each. A flow's only request may have all that is free, since settings promise that the largest one fits.
        """
        free, held = self.limit - self.in_flight, self._held[claimant.flow]
        alone = held == self._held[claimant]
        return amount <= free and (alone or held + amount <= free)

    def change(self, claimant: Claimant, amount: int) -> None:
        """So much more, or less, is its own."""
        self.in_flight += amount
        for holder in (claimant.flow, claimant):
            self._held[holder] += amount
            if not self._held[holder]:
                del self._held[holder]


class Reservation:
    """A part of a budget, for one request."""

    def __init__(self, budget: Budget, claimant: Claimant) -> None:
        self._budget = budget
        self._claimant = claimant
        self.amount = 0

    def check(self, amount: int) -> None:
        """Raises ServerBusy, at once, where there is not enough to have `amount` in all."""
        budget = self._budget
        if not budget.fits(self._claimant, amount - self.amount):
            raise ServerBusy(
                f"Too many {budget.unit} are in flight: at most {budget.limit} at once ({budget.setting}),"
                " and of one tenant as many as leave as many free. Try again.",
                reason=f"{budget.unit}_in_flight",
            )

    def grow_to(self, amount: int) -> None:
        """Have `amount` in all; less than there is changes nothing. Raises ServerBusy."""
        if amount > self.amount:
            self.check(amount)
            self._budget.change(self._claimant, amount - self.amount)
            self.amount = amount

    def release(self) -> None:
        """Give all of it back; again does nothing."""
        self._budget.change(self._claimant, -self.amount)
        self.amount = 0

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
