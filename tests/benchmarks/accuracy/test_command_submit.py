"""`submit`: the file for MMMU's own evaluation, from made-up answers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy import asked_data, command_submit
from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.data import checked
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.run_folder import Run
from tests.benchmarks.accuracy.made_items import answer, item

OPTIONS = ("Bone", "Air", "Fat", "Water")
FAILED = Failure(400, "context_length_exceeded", "too long")

NAMES = ("test_Pharmacy_2", "test_Pharmacy_10", "test_Clinical_Medicine_1", "test_Public_Health_5")


def question(name: str, **fields: Any) -> Item:
    """One of the test split, whose answer is not told."""
    place: dict[str, Any] = {"id": f"MMMU_Medical_Test/{name}", "dataset": "MMMU_Medical_Test"}
    return replace(item(options=OPTIONS, answer="?"), **{**place, **fields})


def reader(names: tuple[str, ...] = NAMES) -> Callable[[Path], Iterator[Item]]:
    """Of questions with these names."""
    return lambda _path: map(question, names)


def run_of(folder: Path, texts: dict[str, str], **fields: Any) -> Run:
    """texts: by the question's name. fields: of every answer."""
    about = {"reader": "mmmu-test", "path": str(folder), "sha256": checked(reader(), folder).sha256}
    run = Run.create(folder / "run", {"data": about})
    with run:
        for name, text in texts.items():
            place: dict[str, Any] = {"id": f"MMMU_Medical_Test/{name}", "dataset": "MMMU_Medical_Test", "label": None}
            run.append(answer(text=text, **{**place, "options": OPTIONS, **fields}))
    return run


@pytest.fixture(autouse=True)
def made_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The four questions, in place of MMMU's files."""
    monkeypatch.setattr(asked_data, "READERS", {"mmmu-test": reader()})


def submit(run: Run) -> dict[str, str]:
    """The command, and what it writes."""
    parser = argparse.ArgumentParser()
    command_submit.add_arguments(parser)
    file = run.folder / "submission.json"
    assert command_submit.run(parser.parse_args([str(run.folder), "--out", str(file)])) == 0
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_the_file_has_a_letter_for_each_question_by_its_own_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the data's order, letters alone; what says no letter is empty, and never a guess."""
    texts = ["The answer is B.", "(C) Fat", "It depends.", "d"]
    run = run_of(tmp_path, dict(zip(NAMES, texts, strict=True)))

    found = submit(run)

    assert list(found.items()) == list(zip(NAMES, ["B", "C", "", "D"], strict=True))
    assert capsys.readouterr().out == (
        f"{run.folder / 'submission.json'}: 4 questions, not the 1752 of Health & Medicine in MMMU's test split, "
        "1 answers without a letter and 0 failed ones are empty.\n"
    )


def test_the_same_answers_make_the_same_file(tmp_path: Path) -> None:
    """MMMU's own reading would pick options at random for these."""
    run = run_of(tmp_path, dict.fromkeys(NAMES, "No idea."))

    assert submit(run) == submit(run) == dict.fromkeys(NAMES, "")


def test_an_open_question_has_its_text(tmp_path: Path) -> None:
    """The evaluation reads it itself; letters outside ASCII and half characters are no obstacle."""
    run = run_of(tmp_path, dict.fromkeys(NAMES, " about 37.5 °C \ud800\n"), options=())

    assert submit(run) == dict.fromkeys(NAMES, "about 37.5 °C \ud800")


def test_a_question_whose_request_failed_is_there_and_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Left out, it would not count as wrong."""
    run = run_of(tmp_path, dict.fromkeys(NAMES, "B"))
    with run:
        run.append(answer(id=f"MMMU_Medical_Test/{NAMES[1]}", dataset="MMMU_Medical_Test", text="", error=FAILED))

    found = submit(run)

    assert list(found.values()) == ["B", "", "B", "B"]
    assert "0 answers without a letter and 1 failed ones are empty" in capsys.readouterr().out


def test_an_unfinished_run_is_no_submission(tmp_path: Path) -> None:
    """A question that was never asked is no wrong answer, and must not be missing either."""
    run = run_of(tmp_path, dict.fromkeys(NAMES[:3], "B"))

    with pytest.raises(RunError, match="1 of 4 questions have not been asked"):
        submit(run)

    assert not (run.folder / "submission.json").exists()


def test_a_run_over_other_data_is_refused(tmp_path: Path) -> None:
    """The validation split's answers are scored here."""
    run = run_of(tmp_path, dict.fromkeys(NAMES, "B"), dataset="MMMU_Medical_Validation")

    with pytest.raises(RunError, match="has no MMMU_Medical_Test answers"):
        submit(run)


def test_data_that_has_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is not asked any more would be left out."""
    run = run_of(tmp_path, dict.fromkeys(NAMES, "B"))
    monkeypatch.setattr(asked_data, "READERS", {"mmmu-test": reader(NAMES[:2])})

    with pytest.raises(RunError, match="is not the data any more"):
        submit(run)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """As one line for the user."""
    run = run_of(tmp_path, dict.fromkeys(NAMES, "B"))
    (run.folder / "submission.json").mkdir()

    with pytest.raises(RunError, match=r"submission\.json: Is a directory"):
        submit(run)
