"""What was measured without and with a bug, and whether that tells the bug."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.accuracy.markdown import table
from benchmarks.accuracy.score import Scores
from benchmarks.accuracy.smoke.bug import Bug

FLOOR = 0.9
"""Of the score without a bug; the trained demo model answers as much of what it knows."""

FALL = 0.05
"""Of the score, at least, where it tells a bug; one or two answers of 58 may be luck."""


@dataclass(frozen=True, slots=True)
class Figures:
    """score: the papers' scorer's. parity: by a question's name, whether the server agrees with the reference."""

    score: Scores
    parity: Mapping[str, bool]

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self.score.micro.num_right / self.score.micro.n


@dataclass(frozen=True, slots=True)
class Report:
    """The figures without a bug, and with each one."""

    baseline: Figures
    planted: Mapping[Bug, Figures]

    @property
    def failures(self) -> list[str]:
        """What did not hold, for people; empty where the gate is passed."""
        found = [f"{bug}: not told" for bug, figures in self.planted.items() if not told_by(self.baseline, figures)]
        if self.baseline.accuracy < FLOOR:
            found.insert(0, f"without a bug: a score of {self.baseline.accuracy:.1%}, not {FLOOR:.0%}")
        for name, agrees in self.baseline.parity.items():
            if not agrees:
                found.insert(0, f"without a bug: {name}: not the reference's answer")
        return found

    def table(self) -> str:
        """Markdown."""
        rows = [_row(bug, self.baseline, figures) for bug, figures in self.planted.items()]
        return table(["bug", "score", "parity", "told by"], rows)


def told_by(before: Figures, after: Figures) -> list[str]:
    """The figures that are worse with a bug, each with what of it fell."""
    told = []
    if before.accuracy - after.accuracy >= FALL:
        told.append(f"score ({', '.join(_fallen(before.score, after.score))})")
    if lost := [name for name, agrees in before.parity.items() if agrees and not after.parity[name]]:
        told.append(f"parity ({'all' if not any(after.parity.values()) else ', '.join(lost)})")
    return told


def _fallen(before: Scores, after: Scores) -> list[str]:
    """Subsets, or data sets without any, that have fewer right answers."""
    return [
        f"{subset or dataset} {score.num_right} -> {after.subsets[dataset][subset].num_right} of {score.n}"
        for dataset, subsets in before.subsets.items()
        for subset, score in subsets.items()
        if after.subsets[dataset][subset].num_right < score.num_right
    ]


def _row(bug: Bug, before: Figures, after: Figures) -> list[str]:
    return [
        bug,
        f"{before.accuracy:.1%} -> {after.accuracy:.1%}",
        f"{_agreeing(before)} -> {_agreeing(after)}",
        "; ".join(told_by(before, after)) or "NOTHING",
    ]


def _agreeing(figures: Figures) -> str:
    return f"{sum(figures.parity.values())}/{len(figures.parity)}"
