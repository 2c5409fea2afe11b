"""The report of one or several runs: `report.md`, `report.json` and figures, beside what others published."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.accuracy import jama_score, tables
from benchmarks.accuracy.cost import cost
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.formats.jama import DATASET as JAMA
from benchmarks.accuracy.jama_score import JamaScore
from benchmarks.accuracy.markdown import plain
from benchmarks.accuracy.plots import MAX_ROWS, Drawn, accuracy_figure, save, subsets_figure
from benchmarks.accuracy.proportion import Estimate
from benchmarks.accuracy.protocol import differences
from benchmarks.accuracy.published import PAPER, RERUN, ROWS, SEMIHVISION
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.run_identity import asked, identity
from benchmarks.accuracy.score import Score, Scores, scores
from benchmarks.accuracy.tables import Reported
from benchmarks.accuracy.weighing_journal import Weighings

PAGE, RECORD = "report.md", "report.json"
ACCURACY, SUBSETS = "accuracy", "omnimedvqa"
"""Names of the figures."""

_INTRODUCTION = """\
Accuracy in per cent, in brackets the interval of 95 % (Wilson's; of means, Zou and Donner's of Wilson's). An interval
holds the choice of questions, not the sampling of answers. What is unparsed, crashed or failed counts as not right.
The runs' rows are the official scorer's. Cells that no source fills are empty."""

_SCORERS = """\
*official* is the papers' scorer, with its defects: it reads the first lone letter from a to n, and knows capitals only.
*crashed*: it finds no letter, and would end. *strict* is ours: it reads a letter where the answer says exactly one, and
else none (*unparsed*); the papers have no such figures. *failed*: the server gave no answer. *choices*, where the run
was weighed: the most probable letter, by its log-probability after the same prompt; nothing is sampled, or read."""

_JAMA = """\
The means are over what was judged. *not judged*: answers that the judge gave no usable judgement of, or whose case has
no discussion. *not answered*: questions that the run had no answer to when it was judged.
No score of one judge can be compared with another judge's; how the published ones were made was never released."""


def report(runs: Sequence[Run], out: Path) -> str:
    """Write the report into the folder, and give its first table. Raises RunError where a run has no answers."""
    reported = [_reported(run, name) for run, name in zip(runs, _names(runs), strict=True)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        figures = _figures(reported, out)
        (out / PAGE).write_text(_page(reported, figures), encoding="utf-8")
        (out / RECORD).write_text(json.dumps(_record(reported), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"{out}: {error.strerror}") from error
    return tables.beside_published(reported)


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names, or their paths where two have the same."""
    names = [run.folder.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def _reported(run: Run, name: str) -> Reported:
    found = scores(run.answers(), Weighings(run.folder))
    if not found["official"].datasets and not found["official"].num_open:
        raise RunError(f"{run.folder}: has no answers")
    jama = jama_score.summary(run.folder)
    return Reported(
        name=name,
        identity=identity(run.about),
        asked=asked(run.about),
        scores=found,
        cost=cost(run.about, run.answers()),
        differences=differences(run.about, found["official"]),
        jama=jama,
        num_newer=0 if jama is None else _num_newer(run, jama),
    )


def _num_newer(run: Run, jama: JamaScore) -> int:
    answered = sum(answer.dataset == JAMA and answer.error is None for answer in run.answers())
    return max(0, answered - jama.n - jama.num_failed)


def _figures(runs: Sequence[Reported], out: Path) -> list[str]:
    """Names of those that there is something to draw for."""
    drawn = [_drawn(run) for run in runs]
    names = []
    if any(run.accuracy for run in drawn):
        save(accuracy_figure([run for run in drawn if run.accuracy]), out, ACCURACY)
        names.append(ACCURACY)
    if any(run.subsets for run in drawn):
        save(subsets_figure([run for run in drawn if run.subsets]), out, SUBSETS)
        names.append(SUBSETS)
    return names


def _drawn(run: Reported) -> Drawn:
    official = run.scores["official"]
    return Drawn(run.name, _known(official.datasets), _known(dict(official.subsets.get("OmniMedVQA", {}))))


def _known(found: dict[str, Score]) -> dict[str, Estimate]:
    return {name: score.accuracy for name, score in found.items() if score.accuracy is not None}


def _page(runs: Sequence[Reported], figures: Sequence[str]) -> str:
    sections = ["# Accuracy", _INTRODUCTION, tables.beside_published(runs), _sources()]
    if ACCURACY in figures:
        sections.append(f"![Accuracy of the runs and of published models, by data set]({ACCURACY}.svg)")
    if SUBSETS in figures:
        sections += ["## OmniMedVQA's subsets", f"![Accuracy on each subset of OmniMedVQA]({SUBSETS}.svg)"]
        sections += _not_drawn(runs)
    if any(run.jama for run in runs):
        sections += ["## JAMA score, 0 to 5", _JAMA, tables.jama(runs), *_newer(runs)]
    sections += ["## What is not as in the paper", *_each(runs, tables.differences)]
    sections += ["## What became of each question", _SCORERS, *_each(runs, tables.counts)]
    sections += [*_unlabelled(runs), *_open_questions(runs)]
    if any(map(tables.subsets, runs)):
        sections += ["## Subsets", *_each(runs, tables.subsets)]
    sections += ["## Cost and time", tables.costs(runs), "## Who was asked what", tables.identities(runs)]
    return "\n\n".join(sections) + "\n"


def _not_drawn(runs: Sequence[Reported]) -> list[str]:
    num = len({subset for run in runs for subset in _drawn(run).subsets})
    return [f"The figure has {MAX_ROWS} of {num} subsets; the tables have all."] if num > MAX_ROWS else []


def _each(runs: Sequence[Reported], table: Callable[[Reported], str]) -> list[str]:
    """A table for each run, under its name where there are several."""
    sections = []
    for run in runs:
        sections += [f"### {plain(run.name)}"] if len(runs) > 1 else []
        sections += filter(None, [table(run)])
    return sections


def _newer(runs: Sequence[Reported]) -> list[str]:
    return [
        f"{plain(run.name)}: has {run.num_newer} answers more than when it was judged; `judge` again rates them too."
        for run in runs
        if run.num_newer
    ]


def _unlabelled(runs: Sequence[Reported]) -> list[str]:
    """Where the data say "?", or nothing."""
    sentences = []
    for run in runs:
        datasets = run.scores["official"].datasets.items()
        if found := [f"{score.num_unlabelled} of {plain(name)}" for name, score in datasets if score.num_unlabelled]:
            told = ", ".join(found)
            sentences.append(
                f"{plain(run.name)}: questions without a right option, which no answer gets right: {told}."
            )
    return sentences


def _open_questions(runs: Sequence[Reported]) -> list[str]:
    return [
        f"{plain(run.name)}: {run.scores['official'].num_open} open questions, which have no options, have no accuracy."
        for run in runs
        if run.scores["official"].num_open
    ]


def _sources() -> str:
    told = (f"*{source.title}*: {source.reference}" for source in (PAPER, RERUN, SEMIHVISION))
    return f"Sources: {'; '.join(told)}."


def _record(runs: Sequence[Reported]) -> dict[str, Any]:
    """All of it, unrounded. Accuracies of runs are shares, 0 to 1; published ones are per cent, as printed."""
    return {"runs": [_run_record(run) for run in runs], "published": [asdict(row) for row in ROWS]}


def _run_record(run: Reported) -> dict[str, Any]:
    return {
        "name": run.name,
        "identity": dict(run.identity),
        "asked": run.asked,
        "scores": {scorer: _scores_record(found) for scorer, found in run.scores.items()},
        "cost": asdict(run.cost),
        "differences": [asdict(each) for each in run.differences],
        "jama": None if run.jama is None else asdict(run.jama),
    }


def _scores_record(found: Scores) -> dict[str, Any]:
    return {
        "datasets": {name: _score_record(score) for name, score in found.datasets.items()},
        "subsets": {
            dataset: {name: _score_record(score) for name, score in parts.items()}
            for dataset, parts in found.subsets.items()
        },
        "micro": _score_record(found.micro),
        "macro": None if found.macro is None else asdict(found.macro),
        "num_open": found.num_open,
    }


def _score_record(score: Score) -> dict[str, Any]:
    return {**asdict(score), "accuracy": None if score.accuracy is None else asdict(score.accuracy)}
