"""What a drill gives back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Report:
    """figures: of JSON's types. broken: a sentence for every promise that was not kept."""

    figures: dict[str, Any]
    broken: tuple[str, ...]


class Drill(Protocol):
    """short: as little as still shows something, for CI."""

    def __call__(self, short: bool) -> Report: ...


def broken(promises: dict[str, bool]) -> tuple[str, ...]:
    """Those that do not hold."""
    return tuple(promise for promise, holds in promises.items() if not holds)


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
