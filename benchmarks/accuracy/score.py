"""How many of a run's answers are right: each scorer's counts, by data set and subset, with intervals.

What is unparsed, crashed or failed counts as not right. Questions without options are open: no letter answers them,
and the published scorer leaves them out as well. JAMA's cases are such, and are rated instead. A data set of which no
right answer is known (MMMU's test) has counts and no accuracy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.accuracy import official, strict
from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.proportion import Estimate, mean, wilson
from benchmarks.accuracy.verdict import Outcome, Verdict
from benchmarks.accuracy.weighing import Weighing

TextScorer = Literal["official", "strict"]

SCORERS: tuple[TextScorer, ...] = ("official", "strict")
"""Those that read an answer's text."""

Scorer = Literal["official", "strict", "choices"]
"""choices: by the most probable letter, of the questions that were weighed."""


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of questions. num_labelled: those that have a right option."""

    n: int = 0
    num_labelled: int = 0
    num_right: int = 0
    num_wrong: int = 0
    num_unparsed: int = 0
    num_crashed: int = 0
    num_failed: int = 0

    @property
    def num_unlabelled(self) -> int:
        """Questions that no answer gets right: the data tell no right option."""
        return self.n - self.num_labelled

    @property
    def accuracy(self) -> Estimate | None:
        """Of all n, with Wilson's interval; None where no right answer is known."""
        return wilson(self.num_right, self.n) if self.num_labelled else None


@dataclass(frozen=True, slots=True)
class Scores:
    """One scorer's. subsets: by data set, and then by subset, in the order in which they were asked."""

    subsets: Mapping[str, Mapping[str, Score]]
    num_open: int

    @property
    def datasets(self) -> dict[str, Score]:
        """All subsets of each together."""
        return {dataset: total(list(parts.values())) for dataset, parts in self.subsets.items()}

    @property
    def micro(self) -> Score:
        """All questions of the data sets that have an accuracy."""
        return total(self._known)

    @property
    def macro(self) -> Estimate | None:
        """The mean of the data sets' accuracies, each of the same weight."""
        found = [score.accuracy for score in self._known if score.accuracy is not None]
        return mean(found) if found else None

    @property
    def _known(self) -> list[Score]:
        return [score for score in self.datasets.values() if score.num_labelled]


def verdict(scorer: TextScorer, answer: Answer) -> Verdict:
    """What a scorer makes of an answer to a closed question."""
    if answer.error is not None:
        return Verdict("failed", None)
    if scorer == "official":
        return official.verdict(answer.text, answer.label)
    return strict.verdict(answer.text, answer.label, answer.options)


def scores(answers: Iterable[Answer], weighings: Iterable[Weighing] = ()) -> dict[Scorer, Scores]:
    """Of all answers and weighings, which are read once and not kept. No `choices` where nothing was weighed."""
    tallies: dict[Scorer, dict[str, dict[str, _Tally]]] = {scorer: {} for scorer in SCORERS}
    num_open = 0
    for answer in answers:
        if not answer.options:
            num_open += 1
            continue
        for scorer in SCORERS:
            _count(tallies[scorer], answer, verdict(scorer, answer))
    for weighing in weighings:
        _count(tallies.setdefault("choices", {}), weighing, weighing.verdict)
    return {scorer: _scores(datasets, num_open) for scorer, datasets in tallies.items()}


def total(parts: Sequence[Score]) -> Score:
    """The sum of each count."""
    return Score(
        n=sum(part.n for part in parts),
        num_labelled=sum(part.num_labelled for part in parts),
        num_right=sum(part.num_right for part in parts),
        num_wrong=sum(part.num_wrong for part in parts),
        num_unparsed=sum(part.num_unparsed for part in parts),
        num_crashed=sum(part.num_crashed for part in parts),
        num_failed=sum(part.num_failed for part in parts),
    )


def _count(datasets: dict[str, dict[str, _Tally]], asked: Answer | Weighing, found: Verdict) -> None:
    tally = datasets.setdefault(asked.dataset, {}).setdefault(asked.subset, _Tally())
    tally.num_labelled += asked.label is not None
    tally.outcomes[found.outcome] += 1


@dataclass(slots=True)
class _Tally:
    num_labelled: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)

    def score(self) -> Score:
        counts = self.outcomes
        return Score(
            n=counts.total(),
            num_labelled=self.num_labelled,
            num_right=counts["right"],
            num_wrong=counts["wrong"],
            num_unparsed=counts["unparsed"],
            num_crashed=counts["crashed"],
            num_failed=counts["failed"],
        )


def _scores(datasets: Mapping[str, Mapping[str, _Tally]], num_open: int) -> Scores:
    return Scores(
        {
            dataset: {subset: tally.score() for subset, tally in subsets.items()}
            for dataset, subsets in datasets.items()
        },
        num_open,
    )
