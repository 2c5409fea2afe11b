"""What a drill gives back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure, as people read it, and whether it keeps its promise."""

    said: str
    kept: bool


Promises = Mapping[str, bool | Measured]
"""A sentence -> whether it was kept, with the figure where there is one."""


@dataclass(frozen=True, slots=True)
class Report:
    """figures: of JSON's types."""

    figures: dict[str, Any]
    promises: Promises

    @property
    def broken(self) -> tuple[str, ...]:
        """The promises that were not kept."""
        return tuple(promise for promise, outcome in self.promises.items() if not is_kept(outcome))


class Drill(Protocol):
    """short: as little as still shows something, for CI."""

    def __call__(self, short: bool) -> Report: ...


def is_kept(outcome: bool | Measured) -> bool:
    """With or without a figure."""
    return outcome.kept if isinstance(outcome, Measured) else outcome


def at_most(value: float, limit: float, unit: str = "") -> Measured:
    """unit: behind the figure, such as " s"."""
    return Measured(f"{value:.3g}{unit}", value <= limit)


def at_least(value: float, limit: float, unit: str = "") -> Measured:
    """As `at_most`."""
    return Measured(f"{value:.3g}{unit}", value >= limit)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def in_ms(seconds: float) -> float:
    """For people."""
    return round(seconds * 1000, 1)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: the percentiles that drills speak of."""
    percentiles = {f"p{percent}": in_ms(percentile(seconds, percent)) for percent in (50, 95, 99)}
    return {"count": len(seconds), **percentiles, "max": in_ms(max(seconds))}
