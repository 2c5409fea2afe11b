"""The questions that two runs have both asked, and how often each run was right where the other was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.proportion import Estimate, mcnemar, paired_difference
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.score import SCORERS, TextScorer, verdict
from benchmarks.accuracy.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Pair:
    """One question's two answers. verdicts: of the first and the second, by scorer."""

    first: Answer
    second: Answer
    verdicts: dict[TextScorer, tuple[Verdict, Verdict]]

    def is_right(self, scorer: TextScorer) -> tuple[bool, bool]:
        """The first, the second."""
        first, second = self.verdicts[scorer]
        return first.outcome == "right", second.outcome == "right"

    @property
    def is_flipped(self) -> bool:
        """Whether, to some scorer, one is right and the other is not."""
        return any(first != second for first, second in map(self.is_right, SCORERS))


@dataclass(frozen=True, slots=True)
class Pairing:
    """num_other: questions of one id whose options or right answer are not the same, and so not compared.

    only_first, only_second: closed questions that one run has and the other has not.
    """

    pairs: Sequence[Pair]
    num_other: int
    only_first: int
    only_second: int


@dataclass(frozen=True, slots=True)
class Paired:
    """Counts of pairs: both right, one of them, none."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def difference(self) -> Estimate:
        """The second's accuracy less the first's; of at least one pair."""
        return paired_difference(self.only_first, self.only_second, self.n)

    @property
    def p(self) -> float:
        """McNemar's, exact and two-sided."""
        return mcnemar(self.only_first, self.only_second)


def pairing(first: Run, second: Run) -> Pairing:
    """Of the closed questions."""
    before = {answer.id: answer for answer in first.answers() if answer.options}
    pairs, num_other, num_second = [], 0, 0
    for answer in second.answers():
        if not answer.options:
            continue
        num_second += 1
        if (match := before.get(answer.id)) is None:
            continue
        if (match.options, match.label) == (answer.options, answer.label):
            pairs.append(_pair(match, answer))
        else:
            num_other += 1
    num_common = len(pairs) + num_other
    return Pairing(pairs, num_other, len(before) - num_common, num_second - num_common)


def by_dataset(pairs: Iterable[Pair], scorer: TextScorer) -> dict[str, Paired]:
    """Of the data sets of which some right answer is known, in the order of the pairs."""
    counts: dict[str, Counter[tuple[bool, bool]]] = {}
    known = set()
    for pair in pairs:
        counts.setdefault(pair.first.dataset, Counter())[pair.is_right(scorer)] += 1
        if pair.first.label is not None:
            known.add(pair.first.dataset)
    return {dataset: _paired(found) for dataset, found in counts.items() if dataset in known}


def total(parts: Iterable[Paired]) -> Paired:
    """The sum of each count."""
    found = list(parts)
    return Paired(
        both=sum(part.both for part in found),
        only_first=sum(part.only_first for part in found),
        only_second=sum(part.only_second for part in found),
        neither=sum(part.neither for part in found),
    )


def _pair(first: Answer, second: Answer) -> Pair:
    return Pair(first, second, {scorer: (verdict(scorer, first), verdict(scorer, second)) for scorer in SCORERS})


def _paired(found: Counter[tuple[bool, bool]]) -> Paired:
    return Paired(found[True, True], found[True, False], found[False, True], found[False, False])
