"""Runs on disk: what is kept, what a crash leaves, and who may write."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.run_folder import Run
from tests.benchmarks.accuracy.made_items import answer
from tests.benchmarks.accuracy.made_runs import about

BUSY = Failure(500, "engine_error", "It failed.")


def run_of(folder: Path, *numbers: int) -> Run:
    """A run with these answers."""
    run = Run.create(folder / "run", {"model": "some-model"})
    with run:
        for number in numbers:
            run.append(answer(number))
    return run


def journal(run: Run) -> Path:
    """Its answers' file."""
    return run.folder / "answers.jsonl"


def test_a_run_that_is_opened_again_says_what_was_kept(tmp_path: Path) -> None:
    """Every field of an answer, letters outside ASCII and half characters too, and what the run is about."""
    kept = [answer(0, text="是\u2028\n\ud800"), answer(1, text="", label=None, seconds=3, error=BUSY)]
    run = run_of(tmp_path)
    with run:
        for each in kept:
            run.append(each)

    again = Run.open(run.folder)

    assert list(again.answers()) == kept
    assert again.about == {"format": 1, "model": "some-model"}


def test_a_line_is_json_with_the_fields_that_are_documented(tmp_path: Path) -> None:
    """Other programs read it."""
    run = run_of(tmp_path)

    with run:
        run.append(answer(0, error=BUSY))

    (line,) = journal(run).read_text().splitlines()
    assert json.loads(line) == {
        "id": "Made/0",
        "dataset": "Made",
        "subset": "",
        "label": "A",
        "options": ["Yes", "No"],
        "text": "A",
        "finish_reason": "stop",
        "prompt_tokens": 600,
        "completion_tokens": 2,
        "seconds": 0.25,
        "prompt_sha256": "0" * 64,
        "error": {"status": 500, "code": "engine_error", "message": "It failed."},
    }


def test_the_line_that_a_crash_tore_is_dropped_and_the_next_one_stands_alone(tmp_path: Path) -> None:
    """Even one that lacks only its end."""
    run = run_of(tmp_path, 0, 1)
    whole = journal(run).read_bytes()
    journal(run).write_bytes(whole[:-1])

    before = [each.id for each in run.answers()]
    with run:
        run.append(answer(2))

    assert before == ["Made/0"]
    assert [each.id for each in Run.open(run.folder).answers()] == ["Made/0", "Made/2"]


@pytest.mark.parametrize("line", [b"\x00\x00\x00", b"{", b"[]", b'{"id": "Made/1"}', b"\xff", b""])
def test_a_broken_line_is_told_by_file_and_number(tmp_path: Path, line: bytes) -> None:
    """It is no torn last line, so something else has happened to the file."""
    run = run_of(tmp_path, 0)
    journal(run).write_bytes(journal(run).read_bytes() + line + b"\n" + journal(run).read_bytes())

    with pytest.raises(RunError, match=r"answers\.jsonl: line 2: is no (answer|record)"):
        list(run.answers())


@pytest.mark.parametrize(
    "changed", [{"id": 1}, {"options": "AB"}, {"error": {"status": 500}}, {"label": 3}, {"unknown": None}]
)
def test_a_field_of_another_type_is_a_broken_line(tmp_path: Path, changed: dict[str, Any]) -> None:
    """What was edited by hand must not become a score."""
    run = run_of(tmp_path, 0)
    fields = {**json.loads(journal(run).read_bytes()), **changed}
    journal(run).write_text(json.dumps(fields) + "\n")

    with pytest.raises(RunError, match="line 1"):
        list(run.answers())


def test_the_newest_line_of_an_item_counts(tmp_path: Path) -> None:
    """What failed and was asked again has its answer, once."""
    run = run_of(tmp_path)
    with run:
        for each in (answer(0, text="", error=BUSY), answer(1), answer(0, text="B"), answer(2, text="", error=BUSY)):
            run.append(each)

    assert [(each.id, each.text) for each in run.answers()] == [("Made/1", "A"), ("Made/0", "B"), ("Made/2", "")]
    assert run.answered_ids() == {"Made/0", "Made/1"}
    assert run.failed_ids() == {"Made/2"}


def test_only_one_process_at_a_time_may_append(tmp_path: Path) -> None:
    """Two would ask everything twice."""
    run = run_of(tmp_path, 0)

    with run, pytest.raises(RunError, match="another process"), Run.open(run.folder):
        pass
    with Run.open(run.folder) as free:
        free.append(answer(1))

    assert run.answered_ids() == {"Made/0", "Made/1"}


def test_a_run_can_be_read_while_it_is_appended_to(tmp_path: Path) -> None:
    """A report of the first thousand answers need not wait for the others."""
    run = run_of(tmp_path, 0)

    with run:
        run.append(answer(1))
        seen = [each.id for each in Run.open(run.folder).answers()]

    assert seen == ["Made/0", "Made/1"]


def test_an_answer_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    """In the file, not in a buffer that dies with the process: a whole line, written at once."""
    run = run_of(tmp_path)

    with run:
        sizes = []
        for number in range(3):
            run.append(answer(number))
            sizes.append(journal(run).read_bytes().count(b"\n"))

    assert sizes == [1, 2, 3]


def test_a_disk_that_is_full_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line was written; it is torn as by a crash, and the next session goes on."""
    run, write = run_of(tmp_path, 0), os.write
    monkeypatch.setattr("os.write", lambda file, line: write(file, line[: len(line) // 2]))

    with pytest.raises(RunError, match="disk is full"), run:
        run.append(answer(1))
    monkeypatch.undo()
    with run:
        run.append(answer(2))

    assert run.answered_ids() == {"Made/0", "Made/2"}


def test_a_folder_with_a_run_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """Hours of answers must not be mixed with others."""
    run = run_of(tmp_path, 0)

    with pytest.raises(RunError, match="holds a run"):
        Run.create(run.folder, {})

    assert run.answered_ids() == {"Made/0"}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', "[" * 100_000])
def test_a_run_of_another_format_is_refused(tmp_path: Path, content: str) -> None:
    """By the file that says so."""
    run = run_of(tmp_path)
    (run.folder / "run.json").write_text(content)

    with pytest.raises(RunError, match=r"run\.json"):
        Run.open(run.folder)


def test_a_folder_without_a_run_is_told_as_such(tmp_path: Path) -> None:
    """It is a path that was mistyped."""
    with pytest.raises(RunError, match="is no run"):
        Run.open(tmp_path / "typo")


def test_what_a_run_is_about_is_replaced_all_at_once(tmp_path: Path) -> None:
    """Nothing is left beside it, and a reader sees the old or the new."""
    run = run_of(tmp_path)

    run.rewrite({**run.about, "concurrency": 4})

    assert Run.open(run.folder).about == {"format": 1, "model": "some-model", "concurrency": 4}
    assert sorted(file.name for file in run.folder.iterdir()) == ["answers.jsonl", "run.json"]


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    """Here its parent is a file."""
    (tmp_path / "file").write_text("")

    with pytest.raises(RunError, match="file"):
        Run.create(tmp_path / "file" / "run", {})


SESSION = {"started": "2026-01-01T00:00:00", "ended": None, "asked": 0, "seconds": 0.0}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"data": "bundle"}, "data: is of another type"),
        ({"data": {"reader": "bundle", "path": "/nowhere"}}, "data.sha256: is missing"),
        ({"data": {"reader": ["bundle"], "path": "/nowhere", "sha256": "0"}}, "data.reader: is of another type"),
        ({"data": {**about()["data"], "num_items": "9"}}, "data.num_items: is of another type"),
        ({"base_url": None}, "base_url: is of another type"),
        ({"model": 1}, "model: is of another type"),
        ({"settings": []}, "settings: is of another type"),
        ({"server": "vllm"}, "server: is of another type"),
        ({"concurrency": "1"}, "concurrency: is of another type"),
        ({"sessions": {}}, "sessions: is of another type"),
        ({"sessions": [SESSION, {**SESSION, "seconds": None}]}, "sessions[1].seconds: is of another type"),
        ({"sessions": ["one"]}, "sessions[0].started: is missing"),
    ],
)
def test_what_a_run_is_about_is_checked_when_it_is_opened(
    tmp_path: Path, changed: dict[str, Any], problem: str
) -> None:
    """The field that was edited is named."""
    run = run_of(tmp_path)
    (run.folder / "run.json").write_text(json.dumps({"format": 1, **about(), **changed}))

    with pytest.raises(RunError) as caught:
        Run.open(run.folder)

    assert str(caught.value) == f"{run.folder / 'run.json'}: {problem}"


def test_a_field_that_a_run_lacks_is_named_by_who_looks_for_it(tmp_path: Path) -> None:
    """Whoever does not need it reads on."""
    run = Run.open(run_of(tmp_path, 0).folder)

    assert run.about["model"] == "some-model"
    with pytest.raises(RunError, match=r"run\.json: sessions: is missing"):
        run.about["sessions"]
