"""What is measured: rows of the table, each a set of films, and the contestants that take turns on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.images.side import Round, Side, Taken

IN_FLIGHT = 4

CONTESTANTS = {
    "ours, 2 workers": ("ours", IN_FLIGHT, 2),
    "stock": ("stock", IN_FLIGHT, 0),
    "ours, 1 worker": ("ours", IN_FLIGHT, 1),
    "stock, one at a time": ("stock", 1, 0),
}
"""Name -> side, images in flight, workers. The first is judged by the second: stock vLLM as its server runs it."""
OURS, STOCK, *_ = CONTESTANTS


@dataclass(slots=True)
class Row:
    """prefixes: of the films' names. taken: by contestant, a round each."""

    title: str
    prefixes: tuple[str, ...]
    rounds: int
    taken: dict[str, list[Taken]] = field(default_factory=dict)

    def run(self, sides: dict[str, Side]) -> None:
        """All contestants in turn, again and again; the first turn of each is not counted."""
        for number in range(self.rounds + 1):
            for name, (side, in_flight, workers) in CONTESTANTS.items():
                taken = sides[side].take(Round(self.prefixes, in_flight, workers))
                if number:
                    self.taken.setdefault(name, []).append(taken)

    def rates(self, contestant: str) -> list[float]:
        """Images a second, a round each."""
        return [taken.images_per_s for taken in self.taken[contestant]]

    def processor_ms(self, contestant: str) -> float:
        """Processor time an image, the median of the rounds."""
        return median(1000 * taken.processor_s / taken.num_images for taken in self.taken[contestant])

    @property
    def ratio(self) -> float:
        """Ours to stock vLLM's: the median of the rounds' ratios, since a round's two sides ran next to each other."""
        return median(self.ratios)

    @property
    def ratios(self) -> list[float]:
        """A round each."""
        return [ours / stock for ours, stock in zip(self.rates(OURS), self.rates(STOCK), strict=True)]


def rows(rounds: int, *, short: bool) -> Sequence[Row]:
    """The first is the one that is judged."""
    judged = Row("JPEG, half grey, half colour", ("jpeg-",), rounds)
    if short:
        return [judged]
    others = max(1, rounds // 2)
    return [
        judged,
        Row("JPEG, grey", ("jpeg-grey",), others),
        Row("JPEG, colour", ("jpeg-colour",), others),
        Row("PNG, grey, 8 bits", ("png-8",), others),
        Row("PNG, grey, 16 bits", ("png-16",), others),
    ]
