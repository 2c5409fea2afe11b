"""The file that MMMU's own evaluation takes: one JSON object of question id to answer.

Source: `mmmu/README.md`, `mmmu/main_eval_only.py` and `mmmu/utils/eval_utils.py` of
https://github.com/MMMU-Benchmark/MMMU (bb0b95a, 19 May 2025).

    {"test_Pharmacy_1": "B", "test_Clinical_Medicine_7": "about 12 weeks", ...}

For a question with options the answer is one letter, compared as it is; for an open one it is any text, which the
evaluation reads itself. Where no letter can be read, MMMU's reading of raw answers picks an option at random; this file
has an empty text instead, which is wrong, and the same each time. A question whose request failed has one too.

The evaluation scores the subjects that the file has, and of them only the ids that it has: an id that is left out does
not count as wrong but not at all, and one that is not MMMU's ends it. So the file holds every question of the data. The
test split has 10,500, of which the 1,752 of Health & Medicine are asked here. Their row is `Overall-Health and
Medicine`; the other subjects' rows say 0 and `Overall` is over what is there.

The test split used to be scored on EvalAI alone (challenge 2179). Its maintainers stopped that in January 2026 and
released the answers in February (issues 78 and 79), so that the file is scored at home:

    python main_eval_only.py --output_path FILE --answer_path answer_dict_test.json

What EvalAI made of a file without the other subjects, we could not find out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy import strict
from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.run_folder import Run

DATASET = "MMMU_Medical_Test"

NUM_QUESTIONS = 1752
"""Of Health & Medicine in the test split, by MMMU's tables (arXiv 2311.16502)."""

NO_ANSWER = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """answers: by MMMU's ids, in the data's order. num_unparsed, num_failed: of those that are an empty text."""

    answers: dict[str, str]
    num_unparsed: int
    num_failed: int


def submission(run: Run, items: Iterable[Item]) -> Submission:
    """items: of the data that the run was asked from.

    Raises RunError where the run has no answers of the test split, or was not asked all of its questions.
    """
    asked = {answer.id: answer for answer in run.answers() if answer.dataset == DATASET}
    if not asked:
        raise RunError(f"{run.folder}: has no {DATASET} answers")
    ids = [item.id for item in items if item.dataset == DATASET]
    if missing := sum(each not in asked for each in ids):
        raise RunError(f"{run.folder}: {missing} of {len(ids)} questions have not been asked: `run` goes on with it")
    answers = {each.removeprefix(f"{DATASET}/"): _submitted(asked[each]) for each in ids}
    num_failed = sum(asked[each].error is not None for each in ids)
    num_empty = sum(text == NO_ANSWER for text in answers.values())
    return Submission(answers, num_empty - num_failed, num_failed)


def save(submitted: Submission, file: Path) -> None:
    """Raises RunError where it cannot be written."""
    try:
        file.write_text(json.dumps(submitted.answers, indent=4) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"{file}: {error.strerror}") from error


def told(submitted: Submission) -> str:
    """A line about the file for people."""
    said = [f"{len(submitted.answers)} questions"]
    if len(submitted.answers) != NUM_QUESTIONS:
        said.append(f"not the {NUM_QUESTIONS} of Health & Medicine in MMMU's test split")
    said.append(f"{submitted.num_unparsed} answers without a letter and {submitted.num_failed} failed ones are empty")
    return ", ".join(said)


def _submitted(answer: Answer) -> str:
    if not answer.options:
        return answer.text.strip()
    return strict.verdict(answer.text, answer.label, answer.options).letter or NO_ANSWER
