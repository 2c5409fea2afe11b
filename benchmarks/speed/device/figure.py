"""One measured figure beside what the hardware allows, and what was promised of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Promise:
    """of: the figure itself, or its ratio to the roofline."""

    of: Literal["value", "ratio"]
    side: Literal["at most", "at least"]
    limit: float

    def __str__(self) -> str:
        return f"{self.side} {self.limit:g}{' of the roofline' if self.of == 'ratio' else ''}"


@dataclass(frozen=True, slots=True)
class Figure:
    """roofline: the hardware's bound, in the same unit, where there is one. note: under what it was measured."""

    name: str
    value: float
    unit: str
    roofline: float | None = None
    promise: Promise | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """To the roofline."""
        return self.value / self.roofline if self.roofline else None

    @property
    def kept(self) -> bool | None:
        """Whether the promise was; None where nothing was promised."""
        if self.promise is None:
            return None
        found = self.value if self.promise.of == "value" else self.ratio
        if found is None:
            return None
        return found <= self.promise.limit if self.promise.side == "at most" else found >= self.promise.limit

    def as_json(self) -> dict[str, Any]:
        """Plain values, the ratio and the verdict included."""
        promise = str(self.promise) if self.promise else None
        return {**asdict(self), "ratio": self.ratio, "promise": promise, "kept": self.kept}

    def cells(self) -> list[str]:
        """A table's line."""
        bound = "" if self.roofline is None else f"{_short(self.roofline)} {self.unit}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = {None: "", True: "kept", False: "**missed**"}[self.kept]
        promise = f"{self.promise}: {verdict}" if self.promise and verdict else ""
        return [self.name, f"{_short(self.value)} {self.unit}", bound, ratio, promise, self.note]


def table(figures: Sequence[Figure]) -> str:
    """Markdown."""
    head = ["figure", "measured", "roofline", "ratio", "promise", "note"]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * 6, *(one.cells() for one in figures)])


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
