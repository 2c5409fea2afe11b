"""The report's tables: what is known of each run, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.cost import Cost
from benchmarks.accuracy.jama_score import JamaScore
from benchmarks.accuracy.markdown import plain, table
from benchmarks.accuracy.proportion import Estimate, mean
from benchmarks.accuracy.protocol import Difference
from benchmarks.accuracy.published import DATASETS, RERUN, ROWS, VQA, Row
from benchmarks.accuracy.score import Score, Scorer, Scores

UNKNOWN = "answers not public"
"""In place of an accuracy."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A run as the report tells it.

    name: unique in the report. identity: as of `run_identity`. jama: if judged. num_newer: JAMA answers that the run
    has more than were there when it was judged.
    """

    name: str
    identity: Mapping[str, str]
    asked: str
    scores: Mapping[Scorer, Scores]
    cost: Cost
    differences: Sequence[Difference]
    jama: JamaScore | None
    num_newer: int = 0


def percent(found: Estimate | None) -> str:
    """`61.4 (55.2 to 67.2)`; nothing for nothing."""
    return "" if found is None else f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def vqa_mean(scores: Scores) -> Estimate | None:
    """Of the four data sets that SemiHVision takes; None where one has no accuracy."""
    datasets = scores.datasets
    found = [datasets[name].accuracy for name in VQA if name in datasets]
    known = [each for each in found if each is not None]
    return mean(known) if len(known) == len(VQA) else None


def beside_published(runs: Sequence[Reported]) -> str:
    """The runs, by the official scorer, and then the published rows."""
    head = ["model", *DATASETS.values(), "mean of the four VQA", "source"]
    return table(head, [*map(_own_row, runs), *(_published_row(row) for row in ROWS if _has_cells(row))])


def jama(runs: Sequence[Reported]) -> str:
    """The judged runs and the published scores, 0 to 5."""
    rows = [
        [f"**{plain(run.name)}**", _jama_mean(run.jama), *_jama_counts(run.jama), plain(run.jama.judge), "this report"]
        for run in runs
        if run.jama is not None
    ]
    untold = ["", "", ""]
    rows += [[row.model, f"{row.jama:.2f}", *untold, "GPT-4", row.source.title] for row in ROWS if row.jama is not None]
    head = ["model", "mean of the three ratings", "judged", "not judged", "not answered", "judge", "source"]
    return table(head, rows, num_texts=len(head))


def counts(run: Reported) -> str:
    """A row for each data set and scorer, and the means."""
    head = ["data set", "scorer", "n", "accuracy, %", "right", "wrong", "unparsed", "crashed", "failed"]
    rows = []
    for dataset in run.scores["official"].datasets:
        told = ((scorer, found.datasets.get(dataset)) for scorer, found in run.scores.items())
        rows += [_counts(plain(dataset), scorer, score) for scorer, score in told if score is not None]
    rows += [_counts("all questions (micro)", scorer, found.micro) for scorer, found in run.scores.items()]
    empty = [""] * 5
    for scorer, found in run.scores.items():
        rows.append(["mean of the data sets (macro)", scorer, "", percent(found.macro), *empty])
    return table(head, rows, num_texts=2)


def subsets(run: Reported) -> str:
    """Of the data sets that have more than one; nothing where none has."""
    rows = [
        [plain(dataset), plain(subset) or "(none)", str(score.n), _accuracy(score), _accuracy(strict)]
        for dataset, parts in run.scores["official"].subsets.items()
        if len(parts) > 1
        for subset, score in parts.items()
        for strict in [run.scores["strict"].subsets[dataset][subset]]
    ]
    return table(["data set", "subset", "n", "official, %", "strict, %"], rows, num_texts=2) if rows else ""


def differences(run: Reported) -> str:
    """From the paper's protocol."""
    rows = [[plain(each.what), plain(each.paper), plain(each.run)] for each in run.differences]
    return table(["", "paper", "this run"], rows, num_texts=3)


def identities(runs: Sequence[Reported]) -> str:
    """A column for each run, a row for each fact that one of them has."""
    names = dict.fromkeys(name for run in runs for name in run.identity)
    rows = [[plain(name), *(plain(run.identity.get(name, "")) for run in runs)] for name in names]
    rows.append(["asked", *(plain(run.asked) for run in runs)])
    return table(["", *(plain(run.name) for run in runs)], rows, num_texts=1 + len(runs))


def costs(runs: Sequence[Reported]) -> str:
    """A column for each run."""
    rows = [[label, *(told(run.cost) for run in runs)] for label, told in _COSTS.items()]
    return table(["", *(plain(run.name) for run in runs)], rows)


def _own_row(run: Reported) -> list[str]:
    datasets = run.scores["official"].datasets
    cells = [_own_cell(datasets[name]) if name in datasets else "" for name in DATASETS]
    return [f"**{plain(run.name)}**", *cells, percent(vqa_mean(run.scores["official"])), "this report"]


def _own_cell(score: Score) -> str:
    return f"{_accuracy(score)}, n = {score.n}"


def _has_cells(row: Row) -> bool:
    return row.vqa_mean is not None or any(value is not None for value in row.accuracy.values())


def _published_row(row: Row) -> list[str]:
    cells = [*(row.accuracy[name] for name in DATASETS), row.vqa_mean]
    num_decimals = 2 if row.source is RERUN else 1
    return [row.model, *("" if value is None else f"{value:.{num_decimals}f}" for value in cells), row.source.title]


def _jama_mean(score: JamaScore) -> str:
    found = score.overall
    interval = "" if found.low is None or found.high is None else f" ({found.low:.2f} to {found.high:.2f})"
    return f"{found.mean:.2f}{interval}"


def _jama_counts(score: JamaScore) -> list[str]:
    return [str(score.n), str(score.num_failed), str(score.num_unanswered)]


def _counts(name: str, scorer: Scorer, score: Score) -> list[str]:
    apart = [_share(count, score.n) for count in (score.num_unparsed, score.num_crashed, score.num_failed)]
    return [name, scorer, str(score.n), _accuracy(score), str(score.num_right), str(score.num_wrong), *apart]


def _accuracy(score: Score) -> str:
    return UNKNOWN if score.n and score.accuracy is None else percent(score.accuracy)


def _share(count: int, n: int) -> str:
    return f"{count} ({100 * count / n:.1f} %)" if count else "0"


def _per_answer(total: int, cost: Cost) -> str:
    return f"{total:,} ({total / cost.num_counted:.1f} an answer)" if cost.num_counted else "not told"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _wall(cost: Cost) -> str:
    lost = f"; {cost.num_lost} of {cost.num_sessions} sessions were killed and are not in it" if cost.num_lost else ""
    return f"{cost.wall_s:,.0f} s{lost}"


_COSTS: dict[str, Callable[[Cost], str]] = {
    "questions answered": lambda cost: f"{cost.num_answered:,}",
    "questions without an answer": lambda cost: f"{cost.num_failed:,}",
    "answers cut at the limit of tokens": lambda cost: f"{cost.num_cut:,}",
    "prompt tokens": lambda cost: _per_answer(cost.prompt_tokens, cost),
    "completion tokens": lambda cost: _per_answer(cost.completion_tokens, cost),
    "time of a request, median": lambda cost: _seconds(cost.median_s),
    "time of a request, mean": lambda cost: _seconds(cost.mean_s),
    "wall-clock time": _wall,
    "questions a second": lambda cost: "" if cost.questions_per_s is None else f"{cost.questions_per_s:.3g}",
}
