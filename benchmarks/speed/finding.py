"""One figure that is not a run against stock vLLM: over the bare engine, the reference, the event loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from benchmarks.speed.bars import Bound
from benchmarks.speed.spread import Spread


@dataclass(frozen=True, slots=True)
class Finding:
    """rounds: what is judged, or told where there is no bound. command: that measures it again. facts: of JSON's types,
    what else was seen.
    """

    work: str
    rounds: tuple[float, ...]
    unit: str
    command: str
    bound: Bound | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spread(self) -> Spread:
        """Of the rounds."""
        return Spread.of(self.rounds)

    @property
    def kept(self) -> bool:
        """By the median; True where nothing was promised."""
        return self.bound is None or self.bound.holds(self.spread.median)

    def as_json(self) -> dict[str, Any]:
        """Plain values; `of_json` is the way back."""
        return asdict(self)

    @classmethod
    def of_json(cls, plain: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        bound = plain["bound"]
        return cls(**{**plain, "rounds": tuple(plain["rounds"]), "bound": Bound(**bound) if bound else None})
