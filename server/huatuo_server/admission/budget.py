"""How many bytes and pixels may be in flight, judged before anything is decoded."""

from __future__ import annotations

from types import TracebackType

from huatuo_server.errors import ServerBusy


class Budget:
    """A quantity of which no more than `limit` may be in flight. unit: its name. setting: the flag that limits it."""

    def __init__(self, unit: str, limit: int, setting: str) -> None:
        self.unit = unit
        self.limit = limit
        self.setting = setting
        self.in_flight = 0

    def reservation(self) -> Reservation:
        """An empty one, to be grown; `with` gives it all back."""
        return Reservation(self)


class Reservation:
    """One request's part of a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.amount = 0

    def check(self, amount: int) -> None:
        """Raises ServerBusy, at once, where there is not enough to have `amount` in all."""
        budget = self._budget
        if budget.in_flight + amount - self.amount > budget.limit:
            raise ServerBusy(
                f"Too many {budget.unit} are in flight: at most {budget.limit} at once ({budget.setting}). Try again.",
                reason=f"{budget.unit}_in_flight",
            )

    def grow_to(self, amount: int) -> None:
        """Have `amount` in all; less than there is changes nothing. Raises ServerBusy."""
        if amount > self.amount:
            self.check(amount)
            self._budget.in_flight += amount - self.amount
            self.amount = amount

    def release(self) -> None:
        """Give all of it back; again does nothing."""
        self._budget.in_flight -= self.amount
        self.amount = 0

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
