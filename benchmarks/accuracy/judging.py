"""A run's JAMA answers before the judge: the rubric of each case, then what of it the answer contains.

`judgements.jsonl` in the run's folder has a line a reply: `id` of the case, `step` (`rubric` or `matches`), `digest` of
all that the reply depends on (`Judge.digest`), and `found`, or the `error` that stands in its place. A question whose
digest is there is not asked again; one that failed is, the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from benchmarks.accuracy.asked_data import asked_items
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.formats.jama import DATASET
from benchmarks.accuracy.journal import Journal
from benchmarks.accuracy.judge import Judge, NoJudgement
from benchmarks.accuracy.progress import Progress
from benchmarks.accuracy.rubric import Malformed, Matches, Rubric, extraction, matches_of, matching, rubric_of
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.side_by_side import side_by_side

FILE = "judgements.jsonl"

NOTHING = Matches((), (), ())

Found = TypeVar("Found", Rubric, Matches)


@dataclass(frozen=True, slots=True)
class Case:
    """id: of its item. extraction: the judge's question for its rubric. answer: the text to be judged."""

    id: str
    extraction: str
    answer: str


@dataclass(frozen=True, slots=True)
class Cases:
    """answered: those that can be judged. num_without_discussion: answered, but with nothing to judge the answer by.

    num_unanswered: questions of the data that the run has no answer to.
    """

    answered: tuple[Case, ...]
    num_without_discussion: int
    num_unanswered: int


def cases(run: Run) -> Cases:
    """Raises RunError where the run has no JAMA answers, and what `asked_items` raises."""
    texts = {answer.id: answer.text for answer in run.answers() if answer.dataset == DATASET and answer.error is None}
    if not texts:
        raise RunError(f"{run.folder}: has no {DATASET} answers")
    items = [item for item in asked_items(run) if item.dataset == DATASET]
    answered = [item for item in items if item.id in texts]
    discussed = [item for item in answered if item.details["explanation"].strip()]
    return Cases(
        tuple(Case(item.id, extraction(item), texts[item.id]) for item in discussed),
        len(answered) - len(discussed),
        len(items) - len(answered),
    )


class Judging:
    """One judge and one journal, which is held while it judges."""

    def __init__(self, judge: Judge, journal: Journal) -> None:
        self._judge = judge
        self._journal = journal
        self._found: dict[str, Mapping[str, Any]] = dict(_kept(journal))

    def take_rubrics(self, folder: Path, among: Sequence[Case]) -> None:
        """Keep the rubrics that another run was judged by. Raises RunError where it has none of these by this judge."""
        there = dict(_kept(Journal(folder / FILE)))
        digests = {case: digest for case in among if (digest := self._judge.digest(case.extraction)) in there}
        if not digests:
            raise RunError(f"{folder}: has no rubrics by {self._judge.model} of the cases that are judged here")
        for case, digest in digests.items():
            if digest not in self._found:
                self._keep(case, "rubric", digest, there[digest])

    def known(self, case: Case) -> Matches | None:
        """What has been judged before."""
        if not case.answer.strip():
            return NOTHING
        rubric = self._known(case.extraction, rubric_of)
        if rubric is None:
            return None
        return self._known(matching(rubric, case.answer), partial(matches_of, rubric=rubric))

    async def matches(self, case: Case) -> Matches | None:
        """Of a case that is not known; None where the judge gives no usable reply. Raises RunError as `Judge.ask`."""
        try:
            rubric = await self._settled(case, "rubric", case.extraction, rubric_of)
            return await self._settled(
                case, "matches", matching(rubric, case.answer), partial(matches_of, rubric=rubric)
            )
        except NoJudgement:
            return None

    def _known(self, question: str, read: Callable[[Mapping[str, Any]], Found]) -> Found | None:
        found = self._found.get(self._judge.digest(question))
        try:
            return None if found is None else read(found)
        except Malformed:
            return None

    async def _settled(
        self,
        case: Case,
        step: Literal["rubric", "matches"],
        question: str,
        read: Callable[[Mapping[str, Any]], Found],
    ) -> Found:
        if (known := self._known(question, read)) is not None:
            return known
        digest = self._judge.digest(question)
        try:
            found = await self._judge.ask(question, read)
        except NoJudgement as error:
            self._journal.append({"id": case.id, "step": step, "digest": digest, "error": str(error)})
            raise
        self._keep(case, step, digest, {name: list(entries) for name, entries in asdict(found).items()})
        return found

    def _keep(self, case: Case, step: str, digest: str, found: Mapping[str, Any]) -> None:
        self._journal.append({"id": case.id, "step": step, "digest": digest, "found": found})
        self._found[digest] = found


async def judge_all(
    judging: Judging, cases: Sequence[Case], progress: Progress, concurrency: int
) -> list[Matches | None]:
    """As `Judging.matches`, so many at once, in no order.

    Raises the first RunError; what was in flight then is given up.
    """
    left, done = iter(cases), list[Matches | None]()

    async def judge_on() -> None:
        for case in left:
            done.append(await judging.matches(case))
            progress.count(failed=done[-1] is None)

    await side_by_side(judge_on, concurrency)
    return done


def _kept(journal: Journal) -> Iterator[tuple[str, dict[str, Any]]]:
    """Digests and what was found."""
    for record in journal.records():
        digest, found = record.get("digest"), record.get("found")
        if isinstance(digest, str) and isinstance(found, dict):
            yield digest, found
