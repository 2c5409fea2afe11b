"""Figures of several rounds: the median, and from the least to the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """values: a round each, at least one."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ValueError where there is none."""
        if not values:
            raise ValueError("no round, no figure")
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """What is judged."""
        return median(self.values)

    def __str__(self) -> str:
        """`0.52 (0.49 to 0.6)`; a single round as itself."""
        if len(self.values) == 1:
            return short(self.values[0])
        return f"{short(self.median)} ({short(min(self.values))} to {short(max(self.values))})"


def short(value: float) -> str:
    """Three digits; whole numbers above a thousand."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
